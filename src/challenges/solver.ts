import type { ChallengeAnswer } from './challenge.ts'

export type ChallengeType = ChallengeAnswer['type']

/** What a CA wants to see for one name. */
export type ChallengeTask = {
  /** A DNS name without wildcard, or an IP address in canonical form. */
  readonly name: string
  readonly token: string
  /** RFC 8555 §8.1. */
  readonly keyAuthorization: string
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Turns a CA's task into what the frontends must answer. */
export type Solver = (task: ChallengeTask) => Promise<ChallengeAnswer>
