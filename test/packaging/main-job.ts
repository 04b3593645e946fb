import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { Castellan, type Place } from '../e2e/castellan.ts'
import { curl } from '../e2e/curl.ts'

/** What starts the program, and what it finds around it. */
export type Shipped = { readonly command: readonly [string, ...string[]]; readonly env: NodeJS.ProcessEnv }

/**
 * Does with a program that was packed what it is there for, as its operator would: a site behind the internal CA, visited
 * over HTTPS, looked after from another shell, logs begun anew, and an orderly end.
 */
export async function doMainJob(t: TestContext, { command, env }: Shipped, place: Place): Promise<void> {
  const app = createServer((request, response) => response.end(`hello ${request.headers['x-forwarded-proto']}`))
  await once(app.listen(0, '127.0.0.1'), 'listening')
  t.after(() => app.close())
  await place.configure(`workers: 2\nsites: { localhost: "http://127.0.0.1:${(app.address() as AddressInfo).port}" }`)
  const ask = async (...args: string[]): Promise<string> => {
    const [file, ...first] = command
    return (await promisify(execFile)(file, [...first, ...args], { cwd: place.folder, env })).stdout
  }
  assert.match(await ask('--version'), /^castellan \d+\.\d+\.\d+ \(node 26\./)
  assert.match(await ask('validate'), /castellan\.yaml is good: 1 site/)
  const castellan = new Castellan(place.folder, ['run'], env, [], command)
  t.after(() => castellan.process.kill('SIGKILL'))
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  await castellan.until('worker-ready', 2)
  assert.match(await ask('certs', 'list'), /localhost/)
  await visit(place)
  await beginNewLog(castellan, place)
  assert.equal(await castellan.stop(), 0)
  assert.deepEqual(castellan.of('worker-exited'), [])
  assert.equal(castellan.text, '')
}

async function visit(place: Place): Promise<void> {
  const ca = join(place.folder, 'data/issuers/internal/root.crt')
  const { output } = await curl('--cacert', ca, `https://localhost:${place.httpsPort}/`)
  assert.match(output, /^HTTP\/2 200 [\s\S]*hello https$/)
}

/** The access log is the workers': it needs that the signal, and then the message, have reached them. */
async function beginNewLog(castellan: Castellan, place: Place): Promise<void> {
  const file = join(place.folder, 'access.log')
  await rename(file, `${file}.1`)
  castellan.process.kill('SIGUSR1')
  let count = 0
  while (!(await readFile(file, 'utf8').catch(() => '')).includes('"status":200')) {
    assert.ok(count++ < 50, 'no new access log was begun')
    await visit(place)
  }
}
