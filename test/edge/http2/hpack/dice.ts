/** Numbers in [0, 1) that are the same for the same seed (mulberry32), so that a failure can be had again. */
export function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}

/** A text of up to `maxLength` of these characters; most are short. */
export function text(random: () => number, characters: string, maxLength: number): string {
  const length = Math.floor(random() ** 3 * (maxLength + 1))
  return Array.from({ length }, () => characters[Math.floor(random() * characters.length)]).join('')
}
