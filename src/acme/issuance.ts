import { withDeadline } from '../system/deadline.ts'
import type { Account } from './account.ts'
import { AcmeError } from './acme-error.ts'
import { type ChainCheck, chooseChain, downloadCertificate, type IssuedChain } from './certificate.ts'
import type { AcmeClient } from './client.ts'
import { finalizeOrder, getOrder, isFurther, newOrder, type Order, orderInvalid, resumeOrder } from './order.ts'
import { pollDelays } from './poll-delay.ts'
import { type Prover, proveControl } from './proof.ts'

const MINUTE = 60_000

/** One certificate to get: from the names to the chain. */
export type Issuance = {
  /** Lower-case ASCII DNS names, `*.` allowed in front, and IP addresses in canonical form. */
  readonly names: readonly string[]
  readonly profile: string | undefined
  /** See NewOrder. */
  readonly replaces?: string | undefined
  /** See NewOrder. */
  readonly announce?: ((isReplacement: boolean) => Promise<void>) | undefined
  /** DER. */
  readonly csr: Uint8Array
  readonly prover: Prover
  readonly preferredChain: string | undefined
  readonly check: ChainCheck
  /** The URL of an order that was begun before, for the same key: it is gone on with if something may still come of it. */
  readonly resumes?: string | undefined
  /** Called before each request to finalize: from then on the CA may have a certificate for the key. */
  readonly onFinalize?: (orderUrl: string) => Promise<void>
  /** For the order up to its certificate, in milliseconds; other chains that the CA has take a minute more at most. */
  readonly deadlineMs: number
}

/**
 * Places one order and follows it to its certificate (RFC 8555 §7.1.6). Throws AuthorizationError, AcmeProblemError or
 * another AcmeError; no proof is shown to the world any more then.
 */
export async function obtain(
  client: AcmeClient,
  account: Account,
  issuance: Issuance,
  signal: AbortSignal,
): Promise<IssuedChain> {
  const { names, csr, prover, deadlineMs } = issuance
  const { clock, server } = client
  const deadline = clock.now() + deadlineMs
  let status = 'not placed'
  let retryAfterMs: number | undefined
  const expired = (): AcmeError => {
    const sentence = `The order for ${names.join(', ')} at ${server} was still ${status} after ${deadlineMs / MINUTE} minutes.`
    return new AcmeError('order-timeout', sentence, { server, names, status }, { retryAfterMs })
  }
  const downloaded = await withDeadline({ clock, ms: deadlineMs, signal, expired }, async (inTime) => {
    const delay = pollDelays(client.random)
    /** `next` if it is further than the order was, else what it has become after a while: no cycle goes without a wait. */
    const moved = async (before: Order, next: Order): Promise<Order> => {
      retryAfterMs = next.retryAfterMs
      if (isFurther(next.status, before.status)) return next
      const wait = delay(retryAfterMs)
      if (retryAfterMs !== undefined && clock.now() + wait > deadline)
        throw orderPutOff(server, names, next.status, retryAfterMs)
      await clock.sleep(wait, inTime)
      return getOrder(client, account, next, inTime)
    }
    let order = await begin(client, account, issuance, inTime)
    for (;;) {
      status = order.status
      switch (order.status) {
        case 'pending':
          await proveControl({ client, account, names, prover }, order.authorizations, inTime)
          order = await moved(order, await getOrder(client, account, order, inTime))
          break
        case 'ready':
          await issuance.onFinalize?.(order.url)
          order = await moved(order, await finalizeOrder(client, account, order, csr, inTime))
          break
        case 'processing':
          order = await moved(order, order)
          break
        case 'valid':
          return downloadCertificate(client, account, order.certificate, issuance, inTime)
        case 'invalid':
          throw orderInvalid(server, names, order.error)
        default:
          order satisfies never
      }
    }
  })
  return chooseChain(client, account, downloaded, issuance, signal)
}

/** The order that is to be gone on with, or a new one. */
async function begin(client: AcmeClient, account: Account, issuance: Issuance, signal: AbortSignal): Promise<Order> {
  const { names, resumes } = issuance
  const resumed = resumes === undefined ? undefined : await resumeOrder(client, account, resumes, signal)
  const order = resumed ?? (await newOrder(client, account, issuance, signal))
  const facts = { names, order: order.url, account: account.url }
  const [event, verb] =
    resumed === undefined ? ['order-placed', 'Ordered'] : ['order-resumed', 'Went on with the order of']
  client.log.info(event, `${verb} a certificate for ${names.join(', ')} from ${client.server}.`, facts)
  return order
}

/** The CA wants more time than an order gets here: it is asked anew when that is over. */
function orderPutOff(server: string, names: readonly string[], status: string, retryAfterMs: number): AcmeError {
  const minutes = Math.ceil(retryAfterMs / MINUTE)
  const sentence = `The order for ${names.join(', ')} at ${server} is ${status}, and the CA asks to be left alone for ${minutes} minutes.`
  return new AcmeError('order-timeout', sentence, { server, names, status }, { retryAfterMs })
}
