/** A number in [0, 1), passed in, so that a test can say how the dice fall. For jitter and spreading, never for secrets. */
export type Random = () => number

export const systemRandom: Random = Math.random

/** A length of time, longer or shorter by up to this part of it: what began together does not come back together. */
export function jittered(ms: number, part: number, random: Random): number {
  return ms * (1 + part * (2 * random() - 1))
}
