/**
 * A pattern of paths: literal segments, `*` for any one segment, and `/*` at the end for the path itself and everything below
 * it. `/files` stands for `/files/` as well; `/files/` for that alone.
 */
export type PathPattern = {
  /** In lower case; `*` for any. */
  readonly segments: readonly string[]
  readonly end: 'exact' | 'slash' | 'rest'
}

/** Reads a pattern that the config has checked. */
export function parsePattern(text: string): PathPattern {
  const segments = text.toLowerCase().split('/').slice(1)
  const last = segments.at(-1)
  if (last === '*') return { segments: segments.slice(0, -1), end: 'rest' }
  // The root is itself with a slash.
  if (last === '') return { segments: segments.slice(0, -1), end: segments.length === 1 ? 'exact' : 'slash' }
  return { segments, end: 'exact' }
}
