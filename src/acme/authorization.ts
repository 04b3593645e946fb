import type { Account } from './account.ts'
import { AcmeError } from './acme-error.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import type { AcmeClient } from './client.ts'
import { type Identifier, parseIdentifier } from './identifier.ts'
import { JsonObject } from './json-object.ts'
import { describeProblem, type Problem } from './problem.ts'

/** Let's Encrypt offers five types at the most; those that a hostile CA has beyond are not looked at. */
const MAX_CHALLENGES = 20

const authorizationStatuses = ['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked'] as const

/** Whether an account may have certificates for one name, and how it can show that it may (RFC 8555 §7.1.4). */
export type Authorization = {
  readonly url: string
  readonly identifier: Identifier
  /** As configured: with `*.` where the order asked for a wildcard. */
  readonly name: string
  readonly status: (typeof authorizationStatuses)[number]
  readonly challenges: readonly Challenge[]
  readonly retryAfterMs: number | undefined
}

/** Reads an authorization. Throws AcmeError. */
export async function getAuthorization(
  client: AcmeClient,
  account: Account,
  url: string,
  signal: AbortSignal,
): Promise<Authorization> {
  const response = await client.read(url, account, { what: 'an authorization', signal })
  const document = new JsonObject(response.json(), 'the authorization')
  const identifier = parseIdentifier(document.object('identifier'))
  const challenges = document.list('challenges', Number.POSITIVE_INFINITY)
  return {
    url,
    identifier,
    name: document.optionalBoolean('wildcard') === true ? `*.${identifier.value}` : identifier.value,
    status: document.oneOf('status', authorizationStatuses),
    challenges: challenges
      .map((challenge) => parseChallenge(challenge, client.directory.url))
      .filter((challenge) => challenge !== undefined)
      .slice(0, MAX_CHALLENGES),
    retryAfterMs: response.retryAfterMs,
  }
}

/** Why one name was not authorized. */
export type AuthorizationFailure = {
  readonly name: string
  /** The type that was tried; undefined if the authorization could not be used to begin with. */
  readonly challengeType: string | undefined
  /** Types that the CA offered for the name before one was tried. */
  readonly offered: readonly string[]
  readonly status: Authorization['status']
  /** The CA's own account of it, if it gave one. */
  readonly problem: Problem | undefined
}

/** Where a CA connects to (RFC 8555 §8.3, RFC 8737 §3): the usual reason for a failure is that it does not get there. */
const validationPorts: ReadonlyMap<string, number> = new Map([
  ['http-01', 80],
  ['tls-alpn-01', 443],
])

/** The CA did not find that we control some of an order's names. */
export class AuthorizationError extends AcmeError {
  declare readonly code: 'authorization-failed'
  readonly failures: readonly AuthorizationFailure[]

  constructor(server: string, failures: readonly AuthorizationFailure[]) {
    super('authorization-failed', `The CA at ${server} could not validate ${failures.map(describe).join('; ')}.`, {
      server,
      names: failures.map(({ name }) => name),
      challenges: failures.map(({ challengeType }) => challengeType ?? 'none'),
      details: failures.map(({ problem }) => problem?.detail ?? ''),
    })
    this.failures = failures
  }
}

function describe({ name, challengeType, status, problem }: AuthorizationFailure): string {
  const reason = problem === undefined ? `the authorization is ${status}` : describeProblem(problem)
  if (challengeType === undefined) return `${name}: ${reason}`
  const port = validationPorts.get(challengeType)
  const way = port === undefined ? challengeType : `${challengeType}, through port ${port}`
  return `${name} by ${way}: ${reason}`
}
