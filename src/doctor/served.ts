import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, isIP } from 'node:net'
import { describeError } from '../errors.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import type { Clock } from '../system/clock.ts'
import { withDeadline } from '../system/deadline.ts'
import { tls } from '../system/tls.ts'
import type { Finding } from './finding.ts'

/** What a client is shown. */
export type Shown = { readonly certificate: X509Certificate; readonly hasStaple: boolean }

/** A client that can verify one kind of key alone. Rejects with what the handshake met. */
export type Handshake = (serverName: string, keyKind: KeyKind) => Promise<Shown>

const HANDSHAKE_MS = 5_000

/** Signature algorithms by which only this kind of key can be shown, as OpenSSL names them. */
const SIGNATURES: Record<KeyKind, string> = {
  'ecdsa-p256': 'ecdsa_secp256r1_sha256',
  'ecdsa-p384': 'ecdsa_secp384r1_sha384',
  'rsa-2048': 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256',
  'rsa-3072': 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256',
  'rsa-4096': 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256',
}

type Door = { readonly host: string; readonly port: number } | { readonly path: string }

/** Handshakes with a listener of ours, by TLS 1.3. `preface` is what it wants to be sent first: a PROXY header. */
export function createHandshake(door: Door, preface: string, clock: Clock): Handshake {
  const never = new AbortController().signal
  const expired = (): Error => new Error(`no handshake within ${HANDSHAKE_MS / 1000} seconds`)
  return (serverName, keyKind) =>
    withDeadline({ clock, ms: HANDSHAKE_MS, signal: never, expired }, (signal) =>
      shake({ door, preface, serverName, keyKind, signal }),
    )
}

type Shaking = {
  readonly door: Door
  readonly preface: string
  readonly serverName: string
  readonly keyKind: KeyKind
  readonly signal: AbortSignal
}

async function shake({ door, preface, serverName, keyKind, signal }: Shaking): Promise<Shown> {
  const carrier = connect(door)
  carrier.on('error', () => {})
  try {
    await once(carrier, 'connect', { signal })
    if (preface !== '') carrier.write(preface)
    // What is shown is compared with what is stored, so that nobody has to trust its issuer here.
    const socket = tls.connect({
      socket: carrier,
      ...(isIP(serverName) === 0 && { servername: serverName }),
      sigalgs: SIGNATURES[keyKind],
      minVersion: 'TLSv1.3',
      requestOCSP: true,
      rejectUnauthorized: false,
    })
    let hasStaple = false
    socket.on('OCSPResponse', (response: Buffer | null) => {
      hasStaple = response !== null && response.length > 0
    })
    await once(socket, 'secureConnect', { signal })
    const certificate = socket.getPeerX509Certificate()
    socket.destroy()
    if (certificate === undefined) throw new Error('no certificate is shown')
    return { certificate, hasStaple }
  } finally {
    carrier.destroy()
  }
}

/** What should be shown for a name to clients of one kind of key: fingerprints as certificate reports have them. */
export type Expected = { readonly name: string; readonly keyKind: KeyKind; readonly fingerprints: readonly string[] }

/** Whether a client of that kind is shown what the storage has, with a staple if it names a responder, and without if not. */
export async function examineServed({ name, keyKind, fingerprints }: Expected, handshake: Handshake): Promise<Finding> {
  const finding = { check: 'served', subject: `${name} (${keyKind})` } as const
  try {
    const { certificate, hasStaple } = await handshake(name, keyKind)
    const shown = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
    if (!fingerprints.includes(shown)) {
      const seen = `shows another certificate than the one that is held, of the serial ${certificate.serialNumber}`
      const advice = 'See whether another program listens there, and what the log says.'
      return { ...finding, level: 'fail', seen, advice }
    }
    const namesResponder = /^OCSP - URI:/m.test(certificate.infoAccess ?? '')
    if (namesResponder && !hasStaple) {
      const advice = 'The log says what its responder has answered; clients go on without, unless it is must-staple.'
      return { ...finding, level: 'warn', seen: 'the one that is held, without a staple', advice }
    }
    return { ...finding, level: 'ok', seen: `the one that is held${hasStaple ? ', with its staple' : ''}` }
  } catch (error) {
    return {
      ...finding,
      level: 'fail',
      seen: `no handshake: ${describeError(error)}`,
      advice: 'The log says what became of it.',
    }
  }
}
