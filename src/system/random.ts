/** A number in [0, 1), passed in, so that a test can say how the dice fall. For jitter and spreading, never for secrets. */
export type Random = () => number

export const systemRandom: Random = Math.random
