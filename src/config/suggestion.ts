/**
 * The candidate that was probably meant by a misspelt word, as the question `did you mean "rsa-2048"?`; undefined if
 * none is near. Case, hyphens and underscores count for nothing, so `redirect_to` finds `redirectTo`.
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const target = plain(word)
  let best: string | undefined
  let bestDistance = maxDistance(target) + 1
  for (const candidate of candidates) {
    const plainCandidate = plain(candidate)
    if (Math.abs(plainCandidate.length - target.length) >= bestDistance) continue
    const distance = editDistance(target, plainCandidate)
    if (distance >= bestDistance) continue
    best = candidate
    bestDistance = distance
  }
  return best === undefined ? undefined : `did you mean ${JSON.stringify(best)}?`
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '')
}

/** A third of the letters wrong is still a misspelling; more is another word. Long words are not compared. */
function maxDistance(word: string): number {
  if (word.length > 253) return -1
  return Math.max(1, Math.floor(word.length / 3))
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return last[to.length]!
}
