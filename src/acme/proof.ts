import type { Account } from './account.ts'
import { AcmeError } from './acme-error.ts'
import { type Authorization, AuthorizationError, type AuthorizationFailure, getAuthorization } from './authorization.ts'
import type { Challenge } from './challenge.ts'
import type { AcmeClient } from './client.ts'
import { inLanes } from './lanes.ts'
import { pollDelays } from './poll-delay.ts'
import { quote } from './quote.ts'

/** Of one order: quick for ten names, and no burst for a hundred. */
const MAX_PARALLEL_AUTHORIZATIONS = 8

/** Whoever can answer challenges. */
export interface Prover {
  /** The way to prove control of the authorization's name; undefined if none of those offered is possible. */
  choose(authorization: Authorization): Proof | undefined
}

export interface Proof {
  readonly challenge: UsableChallenge
  /** Does `work` while the world sees the key authorization (RFC 8555 §8.1), and takes it away in any case. */
  whileShown<T>(keyAuthorization: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

export type UsableChallenge = Challenge & { readonly token: string }

export type ProofContext = {
  readonly client: AcmeClient
  readonly account: Account
  /** The names that were ordered; no challenge is answered for any other. */
  readonly names: readonly string[]
  readonly prover: Prover
}

/** An authorization that is pending, and how control of its name is going to be proved. */
type Task = { readonly authorization: Authorization; readonly proof: Proof }

/**
 * Gets an order's authorizations to be valid (RFC 8555 §7.5). One that fails does not end the others: what is valid now
 * need not be proved in the next order, and an answer that a CA is validating must stand until it has. Throws
 * AuthorizationError with all names that failed, or what kept a name from being validated.
 */
export async function proveControl(
  context: ProofContext,
  authorizations: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { client } = context
  const failures: AuthorizationFailure[] = []
  const errors: unknown[] = []
  const tasks: Task[] = []
  // Every authorization is read before the first is answered: an order that cannot succeed costs no validation.
  await inLanes(authorizations, MAX_PARALLEL_AUTHORIZATIONS, signal, async (url, inTime) => {
    const authorization = await getOrderedAuthorization(context, url, inTime)
    if (authorization.status === 'pending') tasks.push({ authorization, proof: choose(context, authorization) })
    else if (authorization.status !== 'valid') failures.push(failureOf(authorization, authorization, undefined))
  })
  await inLanes(tasks, MAX_PARALLEL_AUTHORIZATIONS, signal, async (task, inTime) => {
    try {
      const final = await prove(context, task, inTime)
      if (final.status !== 'valid') failures.push(failureOf(task.authorization, final, task.proof.challenge))
    } catch (error) {
      errors.push(error)
    }
  })
  if (failures.length > 0) {
    const failed = new AuthorizationError(client.server, failures)
    if (errors.length === 0) throw failed
    client.log.warn('authorization-failed', failed.message, failed.facts)
  }
  // It comes before failures, for it may be the CA asking to be left alone: another challenge type must not be tried now.
  if (errors.length > 0) throw errors[0]
}

async function getOrderedAuthorization(
  { client, account, names }: ProofContext,
  url: string,
  signal: AbortSignal,
): Promise<Authorization> {
  const authorization = await getAuthorization(client, account, url, signal)
  const { name } = authorization
  if (!names.includes(name)) throw foreignAuthorization(client.server, name, names)
  return authorization
}

function choose({ client, prover }: ProofContext, authorization: Authorization): Proof {
  const proof = prover.choose(authorization)
  if (proof === undefined) throw challengeNotOffered(client.server, authorization)
  return proof
}

/** The authorization as it is in the end. */
async function prove(
  context: ProofContext,
  { authorization, proof }: Task,
  signal: AbortSignal,
): Promise<Authorization> {
  const { client, account } = context
  const { name } = authorization
  const { challenge } = proof
  const facts = { name, challengeType: challenge.type }
  client.log.info('challenge-chosen', `Proving control of ${name} by ${challenge.type}.`, facts)
  const keyAuthorization = `${challenge.token}.${account.key.thumbprint}`
  return proof.whileShown(keyAuthorization, signal, () => validate(context, authorization, challenge, signal))
}

/** Has the challenge validated, unless the server is already at it, and waits for the authorization to become final. */
async function validate(
  context: ProofContext,
  authorization: Authorization,
  challenge: UsableChallenge,
  signal: AbortSignal,
): Promise<Authorization> {
  const { client, account } = context
  let retryAfterMs = challenge.status === 'pending' ? await begin(context, authorization, challenge, signal) : undefined
  const delay = pollDelays(client.random)
  for (;;) {
    await client.clock.sleep(delay(retryAfterMs), signal)
    const current = await getAuthorization(client, account, authorization.url, signal)
    if (current.status !== 'pending') return current
    retryAfterMs = current.retryAfterMs
  }
}

/**
 * Tells the server that the challenge can be validated (RFC 8555 §7.5.1); again, if no answer came and the challenge shows
 * that nothing has. Gives how long the server asks to wait.
 */
async function begin(
  { client, account }: ProofContext,
  { url, name }: Authorization,
  challenge: UsableChallenge,
  signal: AbortSignal,
): Promise<number | undefined> {
  const what = `the answer to ${challenge.type} for ${name}`
  for (let tries = 1; ; tries++) {
    try {
      const response = await client.post(challenge.url, {}, account, { what, signal })
      // Whatever is no challenge does not come from the CA, which then has heard of nothing.
      response.json()
      return response.retryAfterMs
    } catch (error) {
      await client.waitOut(error, tries, signal)
      const { status, challenges, retryAfterMs } = await getAuthorization(client, account, url, signal)
      const current = challenges.find((each) => each.url === challenge.url)
      if (status !== 'pending' || current?.status !== 'pending') return retryAfterMs
    }
  }
}

/** In the end only the challenge that was tried is left of those offered (RFC 8555 §7.1.4). */
function failureOf(
  { name, challenges }: Authorization,
  final: Authorization,
  tried: Challenge | undefined,
): AuthorizationFailure {
  const failed = final.challenges.filter(({ error }) => error !== undefined)
  return {
    name,
    status: final.status,
    challengeType: tried?.type,
    offered: challenges.map(({ type }) => type),
    problem: (failed.find(({ type }) => type === tried?.type) ?? failed[0])?.error,
  }
}

function challengeNotOffered(server: string, { name, challenges }: Authorization): AcmeError {
  const offered = challenges.map(({ type }) => type)
  const list = offered.length === 0 ? 'none' : offered.join(', ')
  return new AcmeError(
    'challenge-not-offered',
    `The CA at ${server} offers ${list} to prove control of ${name}, and none of these can be answered here: see the ` +
      'issuer’s “challenges”.',
    { server, name, offered },
  )
}

function foreignAuthorization(server: string, name: string, names: readonly string[]): AcmeError {
  return new AcmeError(
    'acme-response-invalid',
    `The CA at ${server} asks to prove control of ${quote(name, 100)}, which was not ordered; only ${names.join(', ')} was.`,
    { server, name: quote(name, 100), names },
  )
}
