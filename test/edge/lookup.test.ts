import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientHello } from '../../src/edge/client-hello/client-hello.ts'
import { Router } from '../../src/edge/router/router.ts'
import { CertificateTable } from '../../src/edge/tls/certificate-table.ts'
import { WaitingNames } from '../../src/edge/tls/waiting-names.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { siteOf } from './serve.ts'

const FEW = 10
const MANY = 1_000_000
/** What memory that no cache holds may add. To look through a million would take ten thousand times as long as through ten. */
const LEEWAY = 50
const LOOKUPS = 2_000
const NAMES_EACH = 100

const hello: ClientHello = {
  serverName: undefined,
  versions: [0x0304],
  cipherSuites: [0x1301],
  signatureAlgorithms: [0x0403],
  supportedGroups: [29, 23],
  protocols: [],
  wantsStaple: false,
  ticket: undefined,
}

/** Half of them wildcards. */
function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index % 2 === 0 ? 'www' : '*'}.site-${index}.test`)
}

/** What clients ask for: names at all places of the list, below the wildcards too, and some that nobody has. */
function questionsFor(names: readonly string[]): string[] {
  return Array.from({ length: LOOKUPS }, (_, index) => {
    const name = names[Math.floor((index * names.length) / LOOKUPS)]!
    return index % 10 === 9 ? `not.${name.replace('*', 'there')}` : name.replace('*', `shop-${index}`)
  })
}

function tableOf(names: readonly string[]): (name: string) => boolean {
  const table = new CertificateTable(new RecordingLog())
  for (let at = 0; at < names.length; at += NAMES_EACH)
    table.put({ id: String(at), names: names.slice(at, at + NAMES_EACH), key: 'prime256v1' })
  return (name) => table.choose(name, hello).type === 'certificate'
}

function routerOf(names: readonly string[]): (name: string) => boolean {
  const router = new Router([siteOf({ scheme: 'unix', path: '/app' }, { names })])
  return (name) => router.site(name) !== undefined
}

function waitingOf(names: readonly string[]): (name: string) => boolean {
  const waiting = new WaitingNames(new RecordingLog(), () => 0)
  waiting.update([{ names, reason: 'it is being ordered' }])
  return (name) => waiting.askedFor(name)
}

/** Nanoseconds of a lookup: the best of several passes, which what else the machine does has disturbed least. */
function nanoseconds(find: (name: string) => boolean, questions: readonly string[]): number {
  let best = Number.POSITIVE_INFINITY
  for (let pass = 0; pass < 20; pass++) {
    const startedAt = performance.now()
    for (const question of questions) find(question)
    best = Math.min(best, (performance.now() - startedAt) * 1e6)
  }
  return best / questions.length
}

for (const [what, build] of [
  ['a certificate', tableOf],
  ['a site', routerOf],
  ['a name that waits for its certificate', waitingOf],
] as const)
  test(`${what} is found among a million names as among ten, also by a wildcard`, (t) => {
    const [few, many] = [FEW, MANY].map((count) => {
      const names = namesOf(count)
      const questions = questionsFor(names)
      const find = build(names)
      assert.equal(questions.filter(find).length, 0.9 * LOOKUPS)
      return nanoseconds(find, questions)
    })
    t.diagnostic(`${few!.toFixed(0)} ns among ${FEW}, ${many!.toFixed(0)} ns among ${MANY}`)
    assert.ok(many! < few! * LEEWAY, `${few} ns among ${FEW}, ${many} ns among ${MANY}`)
  })
