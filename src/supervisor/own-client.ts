import { X509Certificate } from 'node:crypto'
import { connect as connectSocket, isIP, type NetConnectOpts, type Socket } from 'node:net'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { AddressSet } from '../edge/address-set.ts'
import { plainAddress } from '../edge/endpoints.ts'
import { formatProxyHeader } from '../edge/proxy-protocol/header-writer.ts'
import { describeError } from '../errors.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import { tls } from '../system/tls.ts'

/** What a client of ours asks for, and all that it can verify: one kind of key, in one version of TLS. */
export type Question = {
  /** A name, or an address for a client that names none. */
  readonly name: string
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  readonly keyKind: KeyKind
}

/** What the server showed. */
export type Shown = {
  /** Fingerprints, as far as each certificate leads to the next: the server's own first. */
  readonly chain: readonly string[]
  readonly names: string
  /** DER, in base64. */
  readonly staple: string | undefined
}

export type Meeting =
  | { readonly type: 'shown'; readonly shown: Shown }
  /** TLS came to no end: why, in words. */
  | { readonly type: 'refused'; readonly reason: string }
  /** There was no connection. */
  | { readonly type: 'unreached'; readonly reason: string }

/** Only these, so that the server has one kind of certificate to choose. In TLS 1.2 the groups name the key's curve too. */
const ABILITIES = {
  'ecdsa-p256': {
    sigalgs: 'ecdsa_secp256r1_sha256',
    ecdhCurve: 'prime256v1',
    ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  },
  'ecdsa-p384': { sigalgs: 'ecdsa_secp384r1_sha384', ecdhCurve: 'secp384r1', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
  'rsa-2048': rsa(),
  'rsa-3072': rsa(),
  'rsa-4096': rsa(),
} satisfies Record<KeyKind, object>

function rsa() {
  return {
    sigalgs: 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256',
    ecdhCurve: 'prime256v1',
    ciphers: 'ECDHE-RSA-AES128-GCM-SHA256',
  }
}

const TLS_1_3_CIPHERS = 'TLS_AES_128_GCM_SHA256'

/**
 * Makes one TLS connection to a listener of ours and says what it met. Never rejects but with the signal's reason, which is
 * also what bounds it in time.
 *
 * @param proxies networks whose connections must begin with a PROXY header: if we are among them, ours does.
 */
export async function meet(
  question: Question,
  target: NetConnectOpts,
  proxies: AddressSet,
  signal: AbortSignal,
): Promise<Meeting> {
  const socket = connectSocket(target)
  try {
    await settled(socket, 'connect', signal)
  } catch (error) {
    socket.destroy()
    signal.throwIfAborted()
    return { type: 'unreached', reason: describeError(error) }
  }
  try {
    sayWhoWeAre(socket, question.name, proxies)
    return await handshake(socket, question, signal)
  } catch (error) {
    signal.throwIfAborted()
    return { type: 'refused', reason: describeError(error) }
  } finally {
    socket.destroy()
  }
}

/** Whoever asks for an address names none in TLS; a proxy tells to which one its client came. */
function sayWhoWeAre(socket: Socket, name: string, proxies: AddressSet): void {
  const own = plainAddress(socket.localAddress)
  if (!proxies.has(own)) return
  const isAddress = isIP(name) !== 0
  const localAddress = isAddress ? name : plainAddress(socket.remoteAddress)
  // Both ends or none: over a Unix socket, whose ends have no addresses, the client is where it asks.
  const clientAddress = isAddress && own === '' ? name : own
  const { localPort: clientPort, remotePort: localPort } = socket
  socket.write(formatProxyHeader('v2', { clientAddress, clientPort, localAddress, localPort }))
}

async function handshake(socket: Socket, { name, version, keyKind }: Question, signal: AbortSignal): Promise<Meeting> {
  const { ciphers, ...abilities } = ABILITIES[keyKind]
  const connection = tls.connect({
    socket,
    ...abilities,
    ciphers: version === 'TLSv1.3' ? TLS_1_3_CIPHERS : ciphers,
    minVersion: version,
    maxVersion: version,
    // What is shown is compared with what should be shown; who signed that is another question.
    rejectUnauthorized: false,
    requestOCSP: true,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(name) === 0 && { servername: name }),
  })
  let staple: Buffer | undefined
  connection.on('OCSPResponse', (response: Buffer | null) => {
    staple = response === null || response.length === 0 ? undefined : response
  })
  try {
    await settled(connection, 'secureConnect', signal)
    const chain = chainOf(connection)
    const names = new X509Certificate(chain[0]!.raw).subjectAltName ?? ''
    const fingerprints = chain.map(({ fingerprint256 }) => fingerprint256.replaceAll(':', '').toLowerCase())
    return { type: 'shown', shown: { chain: fingerprints, names, staple: staple?.toString('base64') } }
  } finally {
    connection.on('error', () => {})
    connection.destroy()
  }
}

function chainOf(connection: TLSSocket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = []
  let next: DetailedPeerCertificate | undefined = connection.getPeerCertificate(true)
  // A certificate that signed itself is its own issuer.
  while (next?.raw !== undefined && !chain.some(({ fingerprint256 }) => fingerprint256 === next!.fingerprint256)) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

/** Resolves with the event; rejects with an error, the end, or the signal's reason. */
function settled(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error): void => {
      signal.removeEventListener('abort', onAbort)
      if (error === undefined) resolve()
      else reject(error)
    }
    const onAbort = (): void => end(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once(event, () => end())
    socket.on('error', (error) => end(error))
    socket.once('close', () => end(new Error('the connection was closed')))
  })
}
