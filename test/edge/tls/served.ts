import { randomBytes } from 'node:crypto'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { Counters } from '../../../src/edge/counters.ts'
import { endpointsOf } from '../../../src/edge/endpoints.ts'
import type { CertificateChange, CertificateMaterial, CertificateSnapshot } from '../../../src/edge/snapshot.ts'
import { TlsAcceptor, type TlsAcceptorOptions, type TlsConnection } from '../../../src/edge/tls/acceptor.ts'
import {
  type CertificateAuthority,
  createCertificateAuthority,
  issueCertificate,
} from '../../../src/pki/certificate-authority.ts'
import type { KeyKind } from '../../../src/pki/key-kind.ts'
import { exportPrivateKey, generateKey, type KeyPair, keyName } from '../../../src/pki/keys.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'

/** A certificate, and what it takes to show it. */
export type TestCertificate = CertificateSnapshot & CertificateMaterial

/** Certificates as a supervisor has them, who is asked for their material. */
export class Supply {
  readonly #held = new Map<string, TestCertificate>()
  /** The ids of what was asked for. */
  readonly asked: string[] = []

  /** Holds these from now on, and gives what has changed. */
  change(certificates: readonly TestCertificate[], waiting: CertificateChange['waiting'] = []): CertificateChange {
    const ids = new Set(certificates.map(({ id }) => id))
    const remove = [...this.#held.keys()].filter((id) => !ids.has(id))
    const put = certificates.filter(({ id }) => !this.#held.has(id))
    const staples = certificates.filter(({ id, staple }) => this.#held.has(id) && this.#held.get(id)?.staple !== staple)
    for (const id of remove) this.#held.delete(id)
    for (const certificate of certificates) this.#held.set(certificate.id, certificate)
    return { put, remove, staples, waiting }
  }

  readonly fetchMaterial = async (id: string): Promise<CertificateMaterial | undefined> => {
    this.asked.push(id)
    return this.#held.get(id)
  }
}

let authority: Promise<CertificateAuthority> | undefined
const keys = new Map<KeyKind, Promise<KeyPair>>()

export function ticketSecret(): string {
  return randomBytes(32).toString('base64')
}

/** The root that signs what `certificate` makes: PEM. */
export async function rootPem(): Promise<string> {
  authority ??= createCertificateAuthority({ label: 'test', now: Date.now() })
  return (await authority).certificate.x509.toString()
}

export async function certificate(keyKind: KeyKind, ...names: readonly string[]): Promise<TestCertificate> {
  authority ??= createCertificateAuthority({ label: 'test', now: Date.now() })
  const made = keys.get(keyKind) ?? generateKey(keyKind)
  keys.set(keyKind, made)
  const { publicKey, privateKey } = await made
  const terms = { names, publicKey, now: Date.now(), lifetimeMs: 86_400_000 }
  const chain = await issueCertificate(await authority, terms)
  const id = `${keyKind} ${names.join()}`
  const material = { chain, privateKey: exportPrivateKey(privateKey), staple: undefined }
  return { id, names, key: keyName(publicKey), ...material }
}

export type ServedTls = {
  readonly port: number
  readonly acceptor: TlsAcceptor
  readonly supply: Supply
  /** Serves these from now on, and no others. */
  update(certificates: readonly TestCertificate[]): void
  readonly log: RecordingLog
  readonly sockets: Set<Socket>
  close(): Promise<void>
}

/** A port behind which a TlsAcceptor stands. */
export async function serveTls(
  certificates: readonly TestCertificate[],
  onConnection: (connection: TlsConnection) => void,
  options: Partial<TlsAcceptorOptions> & { waiting?: { names: string[]; reason: string }[] } = {},
): Promise<ServedTls> {
  const log = new RecordingLog()
  const supply = new Supply()
  const acceptor = new TlsAcceptor({
    log,
    onConnection,
    fetchMaterial: supply.fetchMaterial,
    fallback: undefined,
    ticketSecrets: [ticketSecret()],
    counters: new Counters(),
    ...options,
  })
  const update = (held: readonly TestCertificate[]): void => acceptor.change(supply.change(held, options.waiting))
  update(certificates)
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    acceptor.accept(socket, endpointsOf(socket))
  })
  const port = await listen(server)
  return {
    port,
    acceptor,
    supply,
    update,
    log,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The same, until the test ends. */
export async function served(
  t: { after(fn: () => unknown): void },
  ...args: Parameters<typeof serveTls>
): Promise<ServedTls> {
  const result = await serveTls(...args)
  t.after(() => result.close())
  return result
}

/** Says which certificate it was that a connection got. */
export function greet({ socket, certificate: shown, protocol }: TlsConnection): void {
  socket.on('error', () => {})
  socket.end(`${shown.id} ${protocol}`)
}

type Answer = { text: string } | { error: string }

/** What a client is told that asks for a.test, if it does not ask for another. */
export async function ask(port: number, options: ConnectionOptions = {}): Promise<Answer> {
  const ca = await rootPem()
  return new Promise((resolve) => {
    const named = { servername: 'a.test', ...options }
    const socket = connectTls({ port, host: '127.0.0.1', ca, checkServerIdentity: () => undefined, ...named })
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (piece: string) => {
      text += piece
    })
    socket.once('end', () => resolve({ text }))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }))
    socket.once('close', () => resolve({ text }))
  })
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve))
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

/**
 * A port that passes everything on to another, but holds back what the client sends after its hello until an encrypted
 * record has come after the one with its Finished message (RFC 8446 §4.4.4), and then sends it as one segment.
 */
export async function gatheringProxy(target: number): Promise<{ port: number; gathered: number; close: () => void }> {
  const proxy = { port: 0, gathered: 0, close: () => server.close() }
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    upstream.pipe(client)
    let flight = Buffer.alloc(0)
    const gather = (piece: Buffer): void => {
      flight = Buffer.concat([flight, piece])
      if (encryptedRecords(flight) < 2) return
      client.off('data', gather)
      proxy.gathered += flight.length
      upstream.write(flight)
      client.pipe(upstream)
    }
    client.once('data', (hello: Buffer) => {
      upstream.write(hello)
      client.on('data', gather)
    })
  })
  proxy.port = await listen(server)
  return proxy
}

const APPLICATION_DATA = 23

/** How many records are whole and encrypted. */
function encryptedRecords(bytes: Buffer): number {
  let count = 0
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt16BE(at + 3)
    if (end <= bytes.length && bytes[at] === APPLICATION_DATA) count++
    at = end
  }
  return count
}

/** Waits until it holds; fails if that takes too long. */
export async function settled(holds: () => boolean, withinMs: number): Promise<void> {
  const giveUp = performance.now() + withinMs
  while (!holds()) {
    if (performance.now() > giveUp) throw new Error(`it does not hold after ${withinMs} ms: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
