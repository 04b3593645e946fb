import type { ChallengeAnswer } from './challenge.ts'
import type { ChallengeTask } from './solver.ts'

/** RFC 8555 §8.3; for IP addresses too (RFC 8738 §4). */
export async function http01({ name, token, keyAuthorization }: ChallengeTask): Promise<ChallengeAnswer> {
  return { type: 'http-01', name, token, keyAuthorization }
}
