import type { AccessLog } from '../telemetry/access-log.ts'
import type { Log } from '../telemetry/log.ts'
import type { Counters } from './counters.ts'
import { type ClientFacts, type Exchange, NO_FIELDS, type Outcome, type RequestHead } from './exchange/exchange.ts'
import type { RefusedRequest } from './exchange/refused-request.ts'
import type { UpstreamAddress } from './snapshot.ts'
import type { ForwardRecord } from './upstream/forward.ts'
import { QuietLog } from './upstream/quiet-log.ts'
import type { UpstreamError } from './upstream/upstream-error.ts'
import { formatUpstream } from './upstream/upstream-name.ts'

type RequestCounters = Pick<
  Counters,
  'request' | 'upstreamConnect' | 'upstreamFirstByte' | 'upstreamFailure' | 'upstreamRetry'
>

export type RecorderOptions = {
  readonly counters: RequestCounters
  /** undefined where it is off. */
  readonly accessLog: AccessLog | undefined
  readonly log: Log
  /** Gives milliseconds from any start. */
  readonly clock?: () => number
}

/** Of a response that broke off, or never came, where nobody has said why. */
const SOCKET_CLOSED = 'socket-closed'

/** Counts every request once it has ended, and enters it into the access log. */
export class Recorder {
  readonly counters: RequestCounters
  readonly accessLog: AccessLog | undefined
  readonly clock: () => number
  /** Tells the operator of upstreams that fail. */
  readonly failures: QuietLog

  constructor({ counters, accessLog, log, clock = () => performance.now() }: RecorderOptions) {
    this.counters = counters
    this.accessLog = accessLog
    this.clock = clock
    this.failures = new QuietLog(log)
  }

  /** A request is here. `site` is the one that takes it. */
  begin(
    { request, client }: Exchange,
    clientAddress: string,
    site: string | undefined,
    requestId: string,
  ): RequestRecord {
    return new RequestRecord(this, request, client, { clientAddress, site, requestId })
  }

  /** A request was refused by its codec, and that is the end of it. */
  refused(request: RefusedRequest, client: ClientFacts): void {
    const { method, authority, target, version, status, bytes, durationMs, why } = request
    this.counters.request(version, status, durationMs, bytes)
    this.accessLog?.(
      {
        client: client.address,
        site: undefined,
        host: authority,
        method,
        target,
        version,
        status,
        bytes,
        requestId: undefined,
        durationMs: tenths(durationMs),
        tls: client.tls,
        handshakeMs: tenths(client.tls?.takeHandshakeMs()),
        upstream: undefined,
        connectMs: undefined,
        firstByteMs: undefined,
        attempts: 0,
        why,
        cause: undefined,
      },
      NO_FIELDS,
    )
  }
}

type RecordFacts = { readonly clientAddress: string; readonly site: string | undefined; readonly requestId: string }

/** What becomes of one request. */
export class RequestRecord implements ForwardRecord {
  /** What the proxy itself refused it for, or answered an error for. */
  why: string | undefined
  /** Where it is forwarded to. */
  upstream: UpstreamAddress | undefined
  readonly #recorder: Recorder
  readonly #request: RequestHead
  readonly #client: ClientFacts
  readonly #facts: RecordFacts
  readonly #startedAt: number
  #attempts = 0
  #waitsSince: number | undefined
  #sentAt: number
  #connectMs: number | undefined
  #firstByteMs: number | undefined
  #cause: string | undefined

  constructor(recorder: Recorder, request: RequestHead, client: ClientFacts, facts: RecordFacts) {
    this.#recorder = recorder
    this.#request = request
    this.#client = client
    this.#facts = facts
    this.#startedAt = recorder.clock()
    this.#sentAt = this.#startedAt
  }

  get requestId(): string {
    return this.#facts.requestId
  }

  onAttempt(upstream: UpstreamAddress): void {
    this.upstream = upstream
    this.#connectMs = undefined
    this.#waitsSince = undefined
    // The first follows at once upon the start.
    if (++this.#attempts > 1) this.#sentAt = this.#recorder.clock()
  }

  onWait(): void {
    this.#waitsSince = this.#recorder.clock()
  }

  onSent(): void {
    if (this.#waitsSince === undefined) return
    this.#sentAt = this.#stopWaiting()
    this.#recorder.counters.upstreamConnect(this.#connectMs!)
  }

  onResponse(): void {
    this.#firstByteMs = this.#recorder.clock() - this.#sentAt
    this.#recorder.counters.upstreamFirstByte(this.#firstByteMs)
  }

  onRetry(error: UpstreamError): void {
    const { counters, failures } = this.#recorder
    counters.upstreamRetry(error.code)
    failures.warn(this.#facts.site ?? '', error, this.#facts.requestId)
  }

  onFailure(error: UpstreamError): void {
    const { counters, failures } = this.#recorder
    const { site = '', requestId } = this.#facts
    const { cause } = error.facts
    this.why = error.code
    if (typeof cause === 'string' && cause !== '') this.#cause = cause
    counters.upstreamFailure(error.code)
    failures.warn(site, error, requestId)
  }

  onEnd({ result, status, bytes, why }: Outcome): void {
    const { counters, accessLog, clock } = this.#recorder
    const durationMs = clock() - this.#startedAt
    counters.request(this.#request.version, status, durationMs, bytes)
    this.why ??= why ?? (result === 'aborted' ? SOCKET_CLOSED : undefined)
    if (accessLog !== undefined) this.#enter(accessLog, status, bytes, durationMs)
  }

  #enter(accessLog: AccessLog, status: number, bytes: number, durationMs: number): void {
    if (this.#waitsSince !== undefined) this.#stopWaiting()
    const { clientAddress, site, requestId } = this.#facts
    const { authority, method, target, version, fields } = this.#request
    const { upstream } = this
    const { tls } = this.#client
    const entry = {
      client: clientAddress,
      site,
      host: authority,
      method,
      target,
      version,
      status,
      bytes,
      requestId,
      durationMs: tenths(durationMs),
      tls,
      handshakeMs: tenths(tls?.takeHandshakeMs()),
      upstream: upstream && formatUpstream(upstream),
      connectMs: tenths(this.#connectMs),
      firstByteMs: tenths(this.#firstByteMs),
      attempts: this.#attempts,
      why: this.why,
      cause: this.#cause,
    }
    accessLog(entry, fields)
  }

  /** Gives the time. */
  #stopWaiting(): number {
    const now = this.#recorder.clock()
    this.#connectMs = now - this.#waitsSince!
    this.#waitsSince = undefined
    return now
  }
}

/** Milliseconds to a tenth. */
function tenths<T extends number | undefined>(ms: T): T {
  return (ms === undefined ? undefined : Math.round(ms * 10) / 10) as T
}
