/**
 * Which of so many pages something is written on: evenly spread, and always the same. For much that is small, where a value of
 * its own for each would cost more than what is in it.
 */
export function pageFor(text: string, pages: number): string {
  return (hashOf(text) % pages).toString(16).padStart(2, '0')
}

/** FNV-1a: spreads evenly, which is all that is asked of it. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
