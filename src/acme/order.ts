import type { Account } from './account.ts'
import { AcmeError } from './acme-error.ts'
import { badNamesIn } from './bad-names.ts'
import type { AcmeClient } from './client.ts'
import { identifierOf } from './identifier.ts'
import { JsonObject } from './json-object.ts'
import { AcmeProblemError, describeProblem, isProblem, type Problem, parseProblem } from './problem.ts'
import type { AcmeResponse } from './response.ts'

/** One for each name, of which no CA allows more than 100. */
const MAX_AUTHORIZATIONS = 200

/** In the order in which an order goes through them (RFC 8555 §7.1.6). */
const orderStatuses = ['pending', 'ready', 'processing', 'valid', 'invalid'] as const

/** The way of a certificate from request to download (RFC 8555 §7.1.6). */
export type Order = {
  readonly url: string
  /** How long the server asks to wait before the order is read again. */
  readonly retryAfterMs: number | undefined
} & (
  | { readonly status: 'pending'; readonly authorizations: readonly string[] }
  | { readonly status: 'ready'; readonly finalize: string }
  | { readonly status: 'processing' }
  | { readonly status: 'valid'; readonly certificate: string }
  | { readonly status: 'invalid'; readonly error: Problem | undefined }
)

export type NewOrder = {
  readonly names: readonly string[]
  /** One of the directory's profiles. */
  readonly profile?: string | undefined
  /** The certificate that this one will replace, as RFC 9773 §4.1 identifies it. */
  readonly replaces?: string | undefined
  /** Told before each request whether it says what is replaced; the request waits for it. */
  readonly announce?: ((isReplacement: boolean) => Promise<void>) | undefined
  /** Told of a request that was announced and that the CA never took up. */
  readonly retract?: (() => void) | undefined
}

/**
 * Asks for a certificate (RFC 8555 §7.4). Never sends notBefore or notAfter: Boulder refuses them. A CA that does not like
 * which certificate it replaces (RFC 9773 §5: somebody else's, or replaced already) is asked once more without that word.
 * Throws AcmeError.
 */
export async function newOrder(
  client: AcmeClient,
  account: Account,
  order: NewOrder,
  signal: AbortSignal,
): Promise<Order> {
  try {
    return await placeOrder(client, account, order, signal)
  } catch (error) {
    if (order.replaces === undefined || !mayBeAboutReplaces(error)) throw error
    const { names } = order
    client.log.info('replaces-refused', `${error.message} It is ordered as a new one.`, { names, ...error.facts })
    return placeOrder(client, account, { ...order, replaces: undefined }, signal)
  }
}

async function placeOrder(
  client: AcmeClient,
  account: Account,
  { names, profile, replaces, announce, retract }: NewOrder,
  signal: AbortSignal,
): Promise<Order> {
  const payload = {
    identifiers: names.map(identifierOf),
    ...(profile !== undefined && { profile }),
    ...(replaces !== undefined && { replaces }),
  }
  const what = `a certificate for ${names.join(', ')}`
  await announce?.(replaces !== undefined)
  const options = { what, isGeneral: true, signal }
  const response = await client.post(client.directory.newOrder, payload, account, options).catch((error: unknown) => {
    if (error instanceof AcmeError && error.isUnheard) retract?.()
    throw error
  })
  // The body first: whatever is no order has no Location either, and then that is not the point.
  const order = parseOrder(client, '', response)
  return { ...order, url: client.url(response.location ?? '') }
}

/** Boulder says `alreadyReplaced`, `malformed` or `unauthorized`; others may say what they like, but for these. */
const NOT_ABOUT_REPLACES = new Set(['rateLimited', 'accountDoesNotExist', 'userActionRequired', 'rejectedIdentifier'])

function mayBeAboutReplaces(error: unknown): error is AcmeProblemError {
  if (!(error instanceof AcmeProblemError)) return false
  const { httpStatus, problem } = error
  return httpStatus >= 400 && httpStatus < 500 && !NOT_ABOUT_REPLACES.has(problem.type)
}

/** Whether an order has come further: it never goes back, whatever a server says (RFC 8555 §7.1.6). */
export function isFurther(next: Order['status'], before: Order['status']): boolean {
  return orderStatuses.indexOf(next) > orderStatuses.indexOf(before)
}

/**
 * An order that was begun before, or undefined if nothing can come of it: it is invalid, or the CA does not know it any more.
 * Throws AcmeError for what may pass.
 */
export async function resumeOrder(
  client: AcmeClient,
  account: Account,
  url: string,
  signal: AbortSignal,
): Promise<Order | undefined> {
  try {
    const order = parseOrder(client, url, await client.read(url, account, { what: 'an order', signal }))
    return order.status === 'invalid' ? undefined : order
  } catch (error) {
    if (isForgotten(error)) return undefined
    throw error
  }
}

/** RFC 8555 has no type of its own for that: the status tells. */
function isForgotten(error: unknown): boolean {
  return error instanceof AcmeProblemError && [403, 404, 410].includes(error.httpStatus)
}

/** Reads an order again. Throws AcmeError. */
export async function getOrder(
  client: AcmeClient,
  account: Account,
  { url }: Order,
  signal: AbortSignal,
): Promise<Order> {
  return parseOrder(client, url, await client.read(url, account, { what: 'an order', signal }))
}

/**
 * Hands in the certificate signing request (DER) of an order that is ready. An order that was not quite ready after all
 * is read again (`orderNotReady`, RFC 8555 §7.4), and so is one of which no answer came: the CA may have got the request.
 * Throws AcmeError; `badCSR` leaves the order ready.
 */
export async function finalizeOrder(
  client: AcmeClient,
  account: Account,
  order: Order & { readonly status: 'ready' },
  csr: Uint8Array,
  signal: AbortSignal,
): Promise<Order> {
  const payload = { csr: Buffer.from(csr).toString('base64url') }
  for (let tries = 1; ; tries++) {
    try {
      const options = { what: 'to finalize an order', signal }
      return parseOrder(client, order.url, await client.post(order.finalize, payload, account, options))
    } catch (error) {
      const isEarly = isProblem(error, 'orderNotReady')
      if (!isEarly) await client.waitOut(error, tries, signal)
      const current = await getOrder(client, account, order, signal)
      if (isEarly || current.status !== 'ready') return current
    }
  }
}

/** The CA gave an order up. */
export function orderInvalid(server: string, names: readonly string[], problem: Problem | undefined): AcmeError {
  const reason = problem === undefined ? 'without saying why' : describeProblem(problem)
  const facts = { server, names, type: problem?.type, detail: problem?.detail }
  const badNames = problem === undefined ? [] : badNamesIn(problem, names)
  const sentence = `The CA at ${server} gave up the order for ${names.join(', ')}: ${reason}.`
  return new AcmeError('order-invalid', sentence, facts, { badNames })
}

function parseOrder(client: AcmeClient, url: string, response: AcmeResponse): Order {
  const order = new JsonObject(response.json(), 'the order')
  const { retryAfterMs } = response
  const status = order.oneOf('status', orderStatuses)
  switch (status) {
    case 'pending': {
      const authorizations = order.strings('authorizations', MAX_AUTHORIZATIONS).map((each) => client.url(each))
      return { url, retryAfterMs, status, authorizations }
    }
    case 'ready':
      return { url, retryAfterMs, status, finalize: client.url(order.string('finalize')) }
    case 'processing':
      return { url, retryAfterMs, status }
    case 'valid':
      return { url, retryAfterMs, status, certificate: client.url(order.string('certificate')) }
    case 'invalid': {
      const error = order.optionalObject('error')
      return { url, retryAfterMs, status, error: error && parseProblem(error.fields) }
    }
  }
}
