import { isIPv6 } from 'node:net'
import type { ChallengeAnswer, ChallengePublisher } from '../challenges/challenge.ts'
import type { ChallengeType } from '../challenges/solver.ts'
import { solvers } from '../challenges/solvers.ts'
import type { Clock } from '../system/clock.ts'
import { withDeadline } from '../system/deadline.ts'

/** What a knock at one address of a name has met. */
export type ProbeAnswer = {
  readonly address: string
  readonly challenge: ChallengeType
  /**
   * `ours`: the answer that we had published. `other`: somebody answered, and not with that. `elsewhere`: a redirect, which a
   * CA would follow. `silent`: nobody, which says little, as many networks do not let a machine reach itself from outside.
   */
  readonly outcome: 'ours' | 'other' | 'elsewhere' | 'silent'
  /** What was seen, to follow after the address: `answers 404 (nginx)`. */
  readonly seen: string
}

export type Knock = Pick<ProbeAnswer, 'outcome' | 'seen'>

/** Asks at an address what a CA would ask there. Never rejects but with the signal's reason. */
export type Knocking = (address: string, answer: ChallengeAnswer, signal: AbortSignal) => Promise<Knock>

export type ProbeOptions = {
  readonly publisher: ChallengePublisher
  readonly knocking: Record<ChallengeType, Knocking>
  readonly clock: Clock
  readonly randomBytes: (size: number) => Buffer
}

/** Longer than a lost SYN takes to be sent again, and short enough for whoever waits for an order. */
const KNOCK_MS = 4_000
/** Of one name: more are a list of a CDN's. */
const MAX_ADDRESSES = 6
/** RFC 8555 §8.1 asks for 128 bits at least. */
const TOKEN_BYTES = 24

/**
 * Publishes an answer to a challenge that no CA has set, asks for it at the addresses of the name as a CA would, on ports 80
 * and 443, and takes it away again. Rejects with the signal's reason, or with what keeps the answer from being published.
 */
export async function probe(
  subject: { readonly name: string; readonly addresses: readonly string[]; readonly challenge: ChallengeType },
  options: ProbeOptions,
  signal: AbortSignal,
): Promise<ProbeAnswer[]> {
  const { name, addresses, challenge } = subject
  const { publisher, knocking, clock } = options
  const answer = await answerFor(name, challenge, options)
  try {
    await publisher.publish(answer)
    return await Promise.all(
      addresses.slice(0, MAX_ADDRESSES).map(async (address) => {
        const deadline = { clock, ms: KNOCK_MS, signal, expired: () => new Late() }
        const knock = await withDeadline(deadline, (inTime) => knocking[challenge](address, answer, inTime)).catch(
          unlessLate,
        )
        return { address, challenge, ...knock }
      }),
    )
  } finally {
    await publisher.withdraw(answer)
  }
}

/** As a sentence has it: `192.0.2.1 port 80 answers 404 (nginx)`. */
export function describeProbe({ address, challenge, seen }: ProbeAnswer): string {
  const port = challenge === 'http-01' ? 80 : 443
  return `${isIPv6(address) ? `[${address}]` : address} port ${port} ${seen}`
}

function answerFor(name: string, challenge: ChallengeType, { clock, randomBytes }: ProbeOptions) {
  const [token, proof] = [
    randomBytes(TOKEN_BYTES).toString('base64url'),
    randomBytes(TOKEN_BYTES).toString('base64url'),
  ]
  return solvers[challenge]({ name, token, keyAuthorization: `${token}.${proof}`, now: clock.now() })
}

class Late extends Error {}

function unlessLate(error: unknown): Knock {
  if (error instanceof Late) return { outcome: 'silent', seen: `does not answer within ${KNOCK_MS / 1000} seconds` }
  throw error
}
