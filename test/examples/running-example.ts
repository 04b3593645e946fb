import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Castellan, freePort, makePlace, type Place } from '../e2e/castellan.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')

export type RunningExample = {
  readonly place: Place
  /** Where the internal CA's certificate is. */
  readonly ca: string
  /** Starts Castellan with the example's own config, on ports of its own, and waits for so many certificates. */
  start(certificates: number): Promise<Castellan>
}

/** Lays an example into a folder of its own and starts its app. `amend` changes the config as a reader would. */
export async function layExample(
  t: TestContext,
  name: string,
  amend: (config: string, place: Place) => string | Promise<string> = (config) => config,
): Promise<RunningExample> {
  const place = await makePlace()
  t.after(() => place.remove())
  await cp(join(EXAMPLES, name), place.folder, { recursive: true })
  const [port, askPort] = [await freePort(), await freePort()]
  const file = join(place.folder, 'castellan.yaml')
  const config = (await readFile(file, 'utf8'))
    .replace('":8443"', `"127.0.0.1:${place.httpsPort}"`)
    .replace('":8080"', `"127.0.0.1:${place.httpPort}"`)
    .replaceAll('localhost:3000', `localhost:${port}`)
    .replaceAll('localhost:3001', `localhost:${askPort}`)
  await writeFile(file, `${await amend(config, place)}\nlog: { format: json, level: debug }\n`)
  await startApp(t, place.folder, { PORT: String(port), ASK_PORT: String(askPort) })
  return {
    place,
    ca: join(place.folder, 'data/issuers/internal/root.crt'),
    async start(certificates) {
      const castellan = new Castellan(place.folder)
      t.after(() => castellan.stop())
      await castellan.until('serving')
      await castellan.until('certificate-issued', certificates)
      return castellan
    },
  }
}

/** An app says where it answers when it does. */
export async function startApp(t: TestContext, folder: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  assert.ok(existsSync(join(folder, 'app.js')))
  const app = spawn(process.execPath, ['app.js'], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(app, 'exit')
  t.after(async () => {
    app.kill()
    await exited
  })
  const [said] = await once(app.stdout!, 'data')
  assert.match(String(said), /The app answers at/)
  return app
}
