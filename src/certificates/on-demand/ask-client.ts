import type { ClientRequest } from 'node:http'
import { CastellanError, describeError } from '../../errors.ts'
import type { Clock } from '../../system/clock.ts'
import { withDeadline } from '../../system/deadline.ts'
import { http } from '../../system/http.ts'
import { https } from '../../system/https.ts'
import { responseTo } from '../../system/response-to.ts'

/** What the operator's program says of a name. */
export type AskReply = {
  readonly status: number
  /** How long it says that its answer counts (RFC 9111 §5.2.2.1), in ms; undefined if it does not. */
  readonly maxAgeMs: number | undefined
}

/** `address` is the client's that the name came with; undefined where none is behind the question. Throws AskError. */
export type Ask = (name: string, address: string | undefined, signal: AbortSignal) => Promise<AskReply>

export type AskErrorCode =
  | 'ask-unreachable'
  | 'ask-timeout'
  /** It points elsewhere, which is not followed: who is asked is the operator's choice alone. */
  | 'ask-redirect'

/** Whoever is asked which names may have certificates has not said (`facts.ask`). */
export class AskError extends CastellanError {
  declare readonly code: AskErrorCode
}

/** From name resolution to the head of the answer, while a client waits. Caddy allows 10 s, kamal-proxy 2. */
const TIMEOUT_MS = 5_000

/** The head of an answer; its content is not read. */
const MAX_HEAD_BYTES = 16 * 1024

/** Asks by GET, directly: no redirect is followed, and no proxy of the environment is used. */
export function createAskClient(url: string, clock: Clock): Ask {
  const { host, protocol } = new URL(url)
  const agents = { 'http:': new http.Agent(), 'https:': new https.Agent() }
  const open = (target: URL, signal: AbortSignal): ClientRequest => {
    const options = { method: 'GET', headers: { Accept: '*/*' }, maxHeaderSize: MAX_HEAD_BYTES, signal }
    return protocol === 'https:'
      ? https.request(target, { ...options, agent: agents['https:'] })
      : http.request(target, { ...options, agent: agents['http:'] })
  }
  return (name, address, signal) => {
    const expired = (): AskError => failure('ask-timeout', host, `did not answer within ${TIMEOUT_MS / 1000} seconds`)
    return withDeadline({ clock, ms: TIMEOUT_MS, signal, expired }, (inTime) =>
      exchange(open(targetFor(url, name, address), inTime), host, inTime),
    )
  }
}

function targetFor(url: string, name: string, address: string | undefined): URL {
  const target = new URL(url)
  target.searchParams.append('name', name)
  if (address !== undefined) target.searchParams.append('address', address)
  return target
}

async function exchange(outgoing: ClientRequest, host: string, signal: AbortSignal): Promise<AskReply> {
  try {
    const incoming = await responseTo(outgoing, undefined, signal)
    const { statusCode: status = 0, headers } = incoming
    if (status < 300 || status >= 400) return { status, maxAgeMs: maxAgeOf(headers['cache-control']) }
    const target = JSON.stringify((headers.location ?? '').slice(0, 200))
    throw failure('ask-redirect', host, `points to ${target}, which is not followed`)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw error instanceof AskError
      ? error
      : failure('ask-unreachable', host, `cannot be asked: ${describeError(error)}`)
  } finally {
    // What it says besides the status may be without end.
    outgoing.destroy()
  }
}

function maxAgeOf(cacheControl: string | undefined): number | undefined {
  const seconds = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(cacheControl ?? '')?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}

function failure(code: AskErrorCode, host: string, what: string): AskError {
  return new AskError(code, `${host} ${what}`, { ask: host })
}
