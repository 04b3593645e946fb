import type { AuditFacts } from './facts.ts'

/** What an audit says of one recommendation, with the evidence in words. */
export type Judgement = {
  readonly verdict: 'pass' | 'fail' | 'not applicable'
  readonly evidence: string
}

/** A sentence of Let's Encrypt's Integration Guide, or of the RFCs that it rests on, and how to see whether it is kept. */
export type Recommendation = {
  readonly id: string
  /** What is asked for, as a sentence. */
  readonly text: string
  readonly judge: (facts: AuditFacts) => Judgement
}

export function pass(evidence: string): Judgement {
  return { verdict: 'pass', evidence }
}

export function fail(evidence: string): Judgement {
  return { verdict: 'fail', evidence }
}

export function notApplicable(evidence: string): Judgement {
  return { verdict: 'not applicable', evidence }
}

/** More than a person reads are counted. */
const MAX_NAMED = 5

/** `a, b and 3 more` */
export function named(names: readonly string[]): string {
  const more = names.length - MAX_NAMED
  return more > 0 ? `${names.slice(0, MAX_NAMED).join(', ')} and ${more} more` : names.join(', ')
}

/** `1 site`, `2 sites` */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** Passes if none is found to be at fault; otherwise says who is, and in what. */
export function noneOf(faulty: readonly string[], fault: string, well: string): Judgement {
  return faulty.length === 0 ? pass(well) : fail(`${named(faulty)}: ${fault}`)
}
