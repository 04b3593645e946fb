import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The temporary folder of one run, which is gone when the program is. */
export class Place {
  readonly #folder: string
  #count = 0

  private constructor(folder: string) {
    this.#folder = folder
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  }

  static async make(): Promise<Place> {
    return new Place(await mkdtemp(join(tmpdir(), 'castellan-bench-')))
  }

  /** A new empty folder. */
  async folder(name: string): Promise<string> {
    const path = join(this.#folder, `${++this.#count}-${name}`)
    await mkdir(path)
    return path
  }
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
