import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { memoryBytes, processTree } from '../../bench/process-tree.ts'
import { Castellan, makePlace } from '../e2e/castellan.ts'

/** Whoever says when it is over: a test, or a program. */
export type Scope = { after(end: () => unknown): void }

/** The program as it runs, with one site, under load. */
export class Loaded {
  readonly castellan: Castellan
  readonly ports: { readonly http: number; readonly https: number }
  readonly #root: string

  constructor(castellan: Castellan, ports: { http: number; https: number }, root: string) {
    this.castellan = castellan
    this.ports = ports
    this.#root = root
  }

  /** The processes that serve. */
  get workers(): number[] {
    const supervisor = this.castellan.process.pid!
    return processTree(supervisor)
      .map(({ pid }) => pid)
      .filter((pid) => pid !== supervisor)
  }

  /** Of all workers, in bytes. What the kernel keeps for their sockets is not in it. */
  get workerMemory(): number {
    return this.workers.reduce((sum, pid) => sum + memoryBytes(pid), 0)
  }

  get workerDescriptors(): number {
    return this.workers.reduce((sum, pid) => sum + descriptorsOf(pid), 0)
  }

  connectHttp(): Socket {
    return connect({ port: this.ports.http, host: '127.0.0.1', noDelay: true })
  }

  connectHttps(protocol: 'http/1.1' | 'h2' = 'http/1.1'): Socket {
    const { https: port } = this.ports
    const ca = readFileSync(this.#root)
    return connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: [protocol] })
  }
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

export async function startLoaded(
  t: Scope,
  { upstream, workers }: { readonly upstream: string; readonly workers: number },
): Promise<Loaded> {
  const place = await makePlace()
  const config = `storage: ./data
listen: { https: "127.0.0.1:${place.httpsPort}", http: "127.0.0.1:${place.httpPort}" }
log: { format: json, level: info, access: off }
workers: ${workers}
limits: { connections: 50000, connectionsPerAddress: 50000 }
sites: { localhost: { upstream: "${upstream}", redirect: false, certificate: { keys: [ecdsa-p256] } } }
`
  await writeFile(join(place.folder, 'castellan.yaml'), config)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued')
  await castellan.until('serving')
  const ports = { http: place.httpPort, https: place.httpsPort }
  return new Loaded(castellan, ports, join(place.folder, 'data/issuers/internal/root.crt'))
}
