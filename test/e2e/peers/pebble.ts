import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import https from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

const START_TRIES = 5
const START_TIMEOUT_MS = 15_000
const POLL_MS = 30

export type PebbleOptions = {
  /** Where Pebble validates http-01 and tls-alpn-01, on 127.0.0.1. */
  readonly httpPort: number
  readonly tlsPort: number
  /** Percentage of good nonces that are refused all the same; 5 unless given. */
  readonly nonceReject?: number
  /** Percentage of names for which a valid authorization is used again; 0 unless given. */
  readonly authorizationReuse?: number
  readonly strict?: boolean
  /** Accounts need one of `pebbleExternalAccount`. */
  readonly externalAccountRequired?: boolean
  readonly validitySeconds?: number
  readonly alternateRoots?: number
  readonly domainBlocklist?: readonly string[]
  /** Named in every certificate; none unless given. */
  readonly ocspUrl?: string
}

/** Credentials that every Pebble started here knows. */
export const pebbleExternalAccount = {
  kid: 'kid-1',
  hmacKey: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W',
}

export type Pebble = {
  readonly directory: string
  /** Path of the PEM certificate that signs the directory's. */
  readonly trust: string
  /** The root of the certificates issued, which is a new one after each start. `index` counts alternate roots. */
  rootPem(index?: number): Promise<string>
  /** What it signs certificates with, and so may sign OCSP responses with: PEM. */
  intermediate(): Promise<{ certificate: string; privateKey: string }>
  /** What it says of a certificate: its status (`Valid`, `Revoked`), and why it was revoked. */
  statusOf(serial: string): Promise<{ Status: string; Reason?: number }>
  /** How many accounts it has, as it says itself. */
  accounts(): number
  /** Refuses connections until it is started again. */
  pause(): Promise<void>
  /** Forgets everything: accounts, orders, nonces, roots. The directory stays where it is. */
  restart(): Promise<void>
  stop(): Promise<void>
}

type Ports = {
  readonly acme: number
  readonly management: number
  readonly dns: number
  readonly dnsManagement: number
}

/** Let's Encrypt's test server, with a DNS server that has 127.0.0.1 for every name. Stop it when done. */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-pebble-'))
  try {
    await makeListenerCertificate(folder)
    return await startOnFreePorts(options, folder)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Someone else may take a port between finding it free and using it. */
async function startOnFreePorts(options: PebbleOptions, folder: string): Promise<Pebble> {
  for (let tries = 1; ; tries++) {
    const ports = await freePorts()
    const dns = startDns(ports)
    try {
      await writeFile(join(folder, 'config.json'), JSON.stringify(configOf(options, ports, folder)))
      const server = await startServer(options, ports, folder)
      dns.checkAlive()
      return new RunningPebble(options, ports, folder, dns, server)
    } catch (error) {
      await dns.stop()
      if (tries === START_TRIES) throw error
    }
  }
}

class RunningPebble implements Pebble {
  readonly directory: string
  readonly trust: string
  readonly #options: PebbleOptions
  readonly #ports: Ports
  readonly #folder: string
  readonly #dns: Program
  #server: Program

  constructor(options: PebbleOptions, ports: Ports, folder: string, dns: Program, server: Program) {
    this.directory = `https://127.0.0.1:${ports.acme}/dir`
    this.trust = join(folder, 'ca.pem')
    this.#options = options
    this.#ports = ports
    this.#folder = folder
    this.#dns = dns
    this.#server = server
  }

  async rootPem(index = 0): Promise<string> {
    return get(`https://127.0.0.1:${this.#ports.management}/roots/${index}`, await readFile(this.trust, 'utf8'))
  }

  async intermediate(): Promise<{ certificate: string; privateKey: string }> {
    const ca = await readFile(this.trust, 'utf8')
    const origin = `https://127.0.0.1:${this.#ports.management}`
    return {
      certificate: await get(`${origin}/intermediates/0`, ca),
      privateKey: await get(`${origin}/intermediate-keys/0`, ca),
    }
  }

  async statusOf(serial: string): Promise<{ Status: string; Reason?: number }> {
    const ca = await readFile(this.trust, 'utf8')
    return JSON.parse(await get(`https://127.0.0.1:${this.#ports.management}/cert-status-by-serial/${serial}`, ca))
  }

  accounts(): number {
    return this.#server.accounts
  }

  pause(): Promise<void> {
    return this.#server.stop()
  }

  async restart(): Promise<void> {
    await this.pause()
    this.#server = await startServer(this.#options, this.#ports, this.#folder)
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server.stop(), this.#dns.stop()])
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function startServer(options: PebbleOptions, ports: Ports, folder: string): Promise<Program> {
  const { strict = true, nonceReject = 5, authorizationReuse = 0, alternateRoots = 0 } = options
  const config = ['-config', join(folder, 'config.json'), '-dnsserver', `127.0.0.1:${ports.dns}`]
  const server = new Program('pebble', strict ? ['-strict', ...config] : config, {
    PEBBLE_VA_NOSLEEP: '1',
    PEBBLE_WFE_NONCEREJECT: String(nonceReject),
    PEBBLE_AUTHZREUSE: String(authorizationReuse),
    PEBBLE_ALTERNATE_ROOTS: String(alternateRoots),
  })
  try {
    await answers(`https://127.0.0.1:${ports.acme}/dir`, await readFile(join(folder, 'ca.pem'), 'utf8'), server)
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

function startDns({ dns, dnsManagement }: Ports): Program {
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '']
  const addresses = ['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '']
  const listen = ['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${dnsManagement}`]
  return new Program('pebble-challtestsrv', [...listen, ...off, ...addresses], {})
}

function configOf(options: PebbleOptions, ports: Ports, folder: string): object {
  const { httpPort, tlsPort, validitySeconds, domainBlocklist = [], externalAccountRequired = false, ocspUrl } = options
  const { kid, hmacKey } = pebbleExternalAccount
  return {
    pebble: {
      listenAddress: `127.0.0.1:${ports.acme}`,
      managementListenAddress: `127.0.0.1:${ports.management}`,
      certificate: join(folder, 'cert.pem'),
      privateKey: join(folder, 'key.pem'),
      httpPort,
      tlsPort,
      certificateValidityPeriod: validitySeconds ?? 7_776_000,
      domainBlocklist,
      externalAccountBindingRequired: externalAccountRequired,
      externalAccountMACKeys: { [kid]: hmacKey },
      ...(ocspUrl === undefined ? {} : { ocspResponderURL: ocspUrl }),
    },
  }
}

/** Pebble's own count, logged with every registration; it has no other place to ask. */
const ACCOUNTS = /There are now (\d+) accounts in memory/g

/** A child that does not outlive us, with what it last said. */
class Program {
  accounts = 0
  readonly #child: ChildProcess
  readonly #name: string
  #output = ''
  #ended: string | undefined

  constructor(name: string, args: readonly string[], env: Record<string, string>) {
    this.#name = name
    this.#child = spawn(name, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-4000)
        for (const [, count] of this.#output.matchAll(ACCOUNTS)) this.accounts = Number(count)
      })
    this.#child.once('error', ({ message }) => {
      this.#ended = message
    })
    const kill = (): void => void this.#child.kill('SIGKILL')
    process.once('exit', kill)
    this.#child.once('exit', (code, signal) => {
      this.#ended = `exit ${code ?? signal}`
      process.removeListener('exit', kill)
    })
  }

  /** Throws if the program has ended by itself. */
  checkAlive(): void {
    if (this.#ended !== undefined) throw new Error(`${this.#name} ended (${this.#ended}): ${this.#output}`)
  }

  async stop(): Promise<void> {
    if (this.#ended !== undefined) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

async function answers(url: string, ca: string, program: Program): Promise<void> {
  for (let waited = 0; ; waited += POLL_MS) {
    program.checkAlive()
    try {
      await get(url, ca)
      return
    } catch (error) {
      if (waited >= START_TIMEOUT_MS) throw error
    }
    await sleep(POLL_MS)
  }
}

async function get(url: string, ca: string): Promise<string> {
  const request = https.get(url, { ca, agent: false, timeout: 2000 })
  request.once('timeout', () => request.destroy(new Error(`${url} does not answer`)))
  const [response] = await once(request, 'response')
  const chunks: Buffer[] = await response.toArray()
  if (response.statusCode !== 200) throw new Error(`${url} answers ${response.statusCode}`)
  return Buffer.concat(chunks).toString('utf8')
}

async function freePorts(): Promise<Ports> {
  const servers = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const [acme, management, dns, dnsManagement] = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return { acme: acme!, management: management!, dns: dns!, dnsManagement: dnsManagement! }
}

/** Debian's package comes without the certificate that Pebble's listeners need. */
async function makeListenerCertificate(folder: string): Promise<void> {
  const path = (name: string): string => join(folder, name)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign']
  const caFiles = ['-keyout', path('ca.key'), '-out', path('ca.pem')]
  await run('openssl', ['req', '-x509', ...newKey, '-subj', '/CN=Pebble listener CA', ...caFiles, ...authority])
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE']
  const files = ['-keyout', path('key.pem'), '-out', path('cert.pem'), '-CA', path('ca.pem'), '-CAkey', path('ca.key')]
  await run('openssl', ['req', '-x509', ...newKey, '-subj', '/CN=localhost', ...files, ...names])
}
