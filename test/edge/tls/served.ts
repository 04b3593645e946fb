import { connect, createServer, type Server, type Socket } from 'node:net'
import type { CertificateSnapshot } from '../../../src/edge/snapshot.ts'
import { TlsAcceptor, type TlsAcceptorOptions, type TlsConnection } from '../../../src/edge/tls/acceptor.ts'
import {
  type CertificateAuthority,
  createCertificateAuthority,
  issueCertificate,
} from '../../../src/pki/certificate-authority.ts'
import type { KeyKind } from '../../../src/pki/key-kind.ts'
import { exportPrivateKey, generateKey, type KeyPair } from '../../../src/pki/keys.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'

let authority: Promise<CertificateAuthority> | undefined
const keys = new Map<KeyKind, Promise<KeyPair>>()

/** The root that signs what `certificate` makes: PEM. */
export async function rootPem(): Promise<string> {
  authority ??= createCertificateAuthority({ label: 'test', now: Date.now() })
  return (await authority).certificate.x509.toString()
}

export async function certificate(keyKind: KeyKind, ...names: readonly string[]): Promise<CertificateSnapshot> {
  authority ??= createCertificateAuthority({ label: 'test', now: Date.now() })
  const made = keys.get(keyKind) ?? generateKey(keyKind)
  keys.set(keyKind, made)
  const { publicKey, privateKey } = await made
  const terms = { names, publicKey, now: Date.now(), lifetimeMs: 86_400_000 }
  const chain = await issueCertificate(await authority, terms)
  return { id: `${keyKind} ${names.join()}`, names, chain, privateKey: exportPrivateKey(privateKey) }
}

export type ServedTls = {
  readonly port: number
  readonly acceptor: TlsAcceptor
  readonly log: RecordingLog
  readonly sockets: Set<Socket>
  close(): Promise<void>
}

/** A port behind which a TlsAcceptor stands. */
export async function serveTls(
  certificates: readonly CertificateSnapshot[],
  onConnection: (connection: TlsConnection) => void,
  options: Partial<TlsAcceptorOptions> & { fallback?: string; waiting?: { names: string[]; reason: string }[] } = {},
): Promise<ServedTls> {
  const log = new RecordingLog()
  const acceptor = new TlsAcceptor({ log, onConnection, ...options })
  acceptor.update({ certificates, waiting: options.waiting ?? [], fallback: options.fallback })
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    acceptor.accept(socket)
  })
  const port = await listen(server)
  return {
    port,
    acceptor,
    log,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

/** A port that passes everything on to another, but what comes from the client first only after `reshape` made pieces of it. */
export async function reshapingProxy(
  target: number,
  reshape: (first: Buffer) => readonly Buffer[],
): Promise<{ port: number; close: () => void }> {
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    upstream.pipe(client)
    client.once('data', async (first: Buffer) => {
      client.pause()
      for (const piece of reshape(first)) {
        upstream.write(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      client.pipe(upstream)
    })
  })
  return { port: await listen(server), close: () => server.close() }
}
