import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { AcmeError } from './acme-error.ts'
import { checkClock } from './clock-check.ts'
import { type Directory, parseDirectory } from './directory.ts'
import { type AccountKey, type Payload, signRequest } from './jws.ts'
import type { NoncePool } from './nonces.ts'
import { isProblem } from './problem.ts'
import { AcmeResponse } from './response.ts'
import { requireUrl } from './server-url.ts'
import type { Transport, TransportRequest, TransportResponse } from './transport.ts'

const JSON_TYPE = 'application/json'

/** Against a server that refuses 20 % of good nonces, ten in a row fail once in ten million requests. */
const MAX_NONCE_TRIES = 10

/** What is harmless to repeat is, which gets an order over the restart of a load balancer. */
const MAX_TRIES = 4

/** Before the second try; each further wait is twice as long. */
const RETRY_MS = 1000

/** A CA that wants to be left alone for longer is obeyed by whoever planned the order, not within it. */
const MAX_RETRY_MS = 60_000

/** What the protocol needs of the world. Nonces are of the one server that `directoryUrl` describes. */
export type ClientOptions = {
  readonly directoryUrl: string
  readonly transport: Transport
  readonly nonces: NoncePool
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Name and version of the program, for User-Agent (RFC 8555 §6.1). */
  readonly userAgent: string
}

/** Who signs: an account, or a key that has none yet. */
export type Signer = { readonly key: AccountKey; readonly url?: string }

export type RequestOptions = {
  /** For messages: `newOrder`. */
  readonly what: string
  readonly signal: AbortSignal
  /** The media type wanted; JSON unless given. */
  readonly accept?: string
  /** Every order makes this request: what fails in the server is not about the names of one. */
  readonly isGeneral?: boolean
}

/** Speaks with one ACME server: signed requests, each with a nonce of its own (RFC 8555 §6). */
export class AcmeClient {
  readonly directory: Directory
  readonly #options: ClientOptions

  private constructor(directory: Directory, options: ClientOptions) {
    this.directory = directory
    this.#options = options
  }

  /** Fetches the directory, and so finds out whether there is an ACME server at all. Throws AcmeError. */
  static async connect(options: ClientOptions, signal: AbortSignal): Promise<AcmeClient> {
    const { directoryUrl: url, clock } = options
    try {
      const response = await exchange({ method: 'GET', url, headers: { Accept: JSON_TYPE } }, options, signal)
      checkClock(response, clock.now())
      const document = AcmeResponse.accept(response, { what: 'its directory' }, clock.now()).json()
      return new AcmeClient(parseDirectory(document, url), options)
    } catch (error) {
      throw error instanceof AcmeError && !error.isForesight ? error.atTheDoor() : error
    }
  }

  get clock(): Clock {
    return this.#options.clock
  }

  get random(): Random {
    return this.#options.random
  }

  get log(): Log {
    return this.#options.log
  }

  /** Host and port of the directory: what messages call the CA. */
  get server(): string {
    return new URL(this.directory.url).host
  }

  /** A URL from a response, checked: https, or http where the directory is. Throws AcmeError `acme-response-invalid`. */
  url(text: string): string {
    return requireUrl(text, this.directory.url)
  }

  /** Reads what needs no account (RFC 9773 §4.1). Throws AcmeError. */
  async get(url: string, options: RequestOptions): Promise<AcmeResponse> {
    const request = { method: 'GET', url, headers: { Accept: JSON_TYPE } } as const
    const response = await exchange(request, this.#options, options.signal)
    return AcmeResponse.accept(response, options, this.clock.now())
  }

  /**
   * Sends a signed request, again with the nonce that each `badNonce` brings, always as a new JWS (§6.5). Throws
   * AcmeError, which is an AcmeProblemError for what the server refuses.
   */
  async post(url: string, payload: Payload, signer: Signer, options: RequestOptions): Promise<AcmeResponse> {
    const { nonces, clock } = this.#options
    for (let tries = 1; ; tries++) {
      const nonce = nonces.take() ?? (await this.#newNonce(options.signal))
      const body = await signRequest(payload, { key: signer.key, kid: signer.url, nonce, url })
      const headers = { Accept: options.accept ?? JSON_TYPE, 'Content-Type': 'application/jose+json' }
      const response = await exchange({ method: 'POST', url, headers, body }, this.#options, options.signal)
      try {
        return AcmeResponse.accept(response, options, clock.now())
      } catch (error) {
        if (!isProblem(error, 'badNonce')) throw error
        if (tries === MAX_NONCE_TRIES) throw noncesRefused(this.server, options.what, error)
        nonces.clear()
      } finally {
        nonces.add(response.headers['replay-nonce'])
      }
    }
  }

  /** Reads a resource by POST-as-GET (§6.3); failures that pass by themselves are tried again a few times. */
  async read(url: string, signer: Signer, options: RequestOptions): Promise<AcmeResponse> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.post(url, undefined, signer, options)
      } catch (error) {
        await this.waitOut(error, tries, options.signal)
      }
    }
  }

  /**
   * Waits, after the `tries`th of a few tries, for a failure to pass. Throws it if it does not pass by itself, was the last
   * that is borne, or the CA wants to be left alone for long.
   */
  async waitOut(error: unknown, tries: number, signal: AbortSignal): Promise<void> {
    if (!(error instanceof AcmeError) || !error.transient || tries === MAX_TRIES) throw error
    const wait = error.retryAfterMs ?? RETRY_MS * 2 ** (tries - 1)
    if (wait > MAX_RETRY_MS) throw error
    this.log.debug('acme-retry', `${error.message} Trying again in ${wait / 1000} s.`, error.facts)
    await this.clock.sleep(wait, signal)
  }

  async #newNonce(signal: AbortSignal): Promise<string> {
    const { nonces, clock } = this.#options
    const request = { method: 'HEAD', url: this.directory.newNonce, headers: {} } as const
    const response = await exchange(request, this.#options, signal)
    AcmeResponse.accept(response, { what: 'newNonce' }, clock.now())
    nonces.add(response.headers['replay-nonce'])
    const nonce = nonces.take()
    if (nonce !== undefined) return nonce
    throw new AcmeError('acme-response-invalid', `The CA at ${this.server} gives out no valid nonce (RFC 8555 §7.2).`)
  }
}

async function exchange(
  request: TransportRequest,
  { transport, clock, log, userAgent }: ClientOptions,
  signal: AbortSignal,
): Promise<TransportResponse> {
  const { method, url } = request
  const start = clock.now()
  const headers = { 'User-Agent': userAgent, 'Accept-Language': 'en', ...request.headers }
  const response = await transport.send({ ...request, headers }, signal)
  const { status } = response
  log.debug('acme-request', `${method} ${url} → ${status}`, { method, url, status, ms: clock.now() - start })
  return response
}

function noncesRefused(server: string, what: string, cause: unknown): AcmeError {
  const sentence = `The CA at ${server} refused ${what} ${MAX_NONCE_TRIES} times as badNonce, each time with the nonce it had just given.`
  return new AcmeError('acme-nonces-refused', sentence, { server, what, tries: MAX_NONCE_TRIES }, { cause })
}
