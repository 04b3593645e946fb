import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Finding } from '../../src/doctor/finding.ts'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { startPebble } from './peers/pebble.ts'

// "castellan doctor" as an operator uses it, over the program that runs and without one.

const REDIRECT = 'redirectTo: "https://b.example"'
/** Of the loopback network, where no other test listens on port 80. */
const OWN_ADDRESS = '127.0.0.77'

type Examined = { readonly code: number | null; readonly running: boolean; readonly findings: readonly Finding[] }

async function doctor(place: Place, ...args: string[]): Promise<Examined> {
  const command = new Castellan(place.folder, ['doctor', ...args, '--json'])
  const { code } = await command.exited
  assert.equal(command.lines.length, 1, command.text)
  return { code, ...(command.lines[0] as unknown as Omit<Examined, 'code'>) }
}

async function text(place: Place, ...args: string[]): Promise<{ code: number | null; text: string }> {
  const command = new Castellan(place.folder, ['doctor', ...args])
  const { code } = await command.exited
  return { code, text: command.text }
}

function of({ findings }: Examined, check: Finding['check']): string[] {
  return findings.filter((finding) => finding.check === check).map(({ subject, level }) => `${level} ${subject}`)
}

async function makePlaceFor(t: TestContext, config: string): Promise<Place> {
  const place = await makePlace()
  t.after(() => place.remove())
  await place.configure(config)
  return place
}

/** Whether this user may listen on port 80 of an address of its own. */
async function mayListenOn80(): Promise<boolean> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  server.once('error', () => resolve(false))
  server.listen(80, OWN_ADDRESS, () => server.close(() => resolve(true)))
  return promise
}

test('all is well with a program that runs and what its own CA gave', async (t) => {
  const place = await makePlaceFor(t, `sites: { a.test: { aliases: [b.test], ${REDIRECT} } }`)
  const castellan = new Castellan(place.folder)
  t.after(() => castellan.stop())
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const examined = await doctor(place)
  assert.equal(examined.running, true)
  assert.equal(examined.code, 0, JSON.stringify(examined.findings))
  assert.deepEqual(of(examined, 'ports'), [
    `ok https 127.0.0.1:${place.httpsPort}`,
    `ok http 127.0.0.1:${place.httpPort}`,
  ])
  assert.deepEqual(of(examined, 'certificate'), ['ok a.test +1 (ecdsa-p256)', 'ok a.test +1 (rsa-2048)'])
  assert.deepEqual(of(examined, 'served'), [
    'ok a.test (ecdsa-p256)',
    'ok b.test (ecdsa-p256)',
    'ok a.test (rsa-2048)',
    'ok b.test (rsa-2048)',
  ])
  const table = await text(place, 'b.test')
  assert.equal(table.code, 0)
  assert.match(table.text, /^ +CHECK +OF +SEEN\nok +storage .* MiB free\n/)
  assert.match(table.text, /ok +served +b\.test \(rsa-2048\) +the one that is held\n/)
  assert.doesNotMatch(table.text, /served +a\.test/)
  assert.match(table.text, /The program runs\. All is well\.\n$/)
})

test('without a program the storage is looked at and the ports are tried; one in use is wrong', async (t) => {
  const place = await makePlaceFor(t, `sites: { a.test: { ${REDIRECT}, hsts: on } }`)
  const free = await doctor(place)
  assert.equal(free.running, false)
  assert.equal(free.code, 0, `what is not there yet is no fault: ${JSON.stringify(free.findings)}`)
  assert.deepEqual(of(free, 'config'), ['warn castellan.yaml:4:59'])
  assert.deepEqual(of(free, 'certificate'), ['warn a.test (ecdsa-p256)', 'warn a.test (rsa-2048)'])
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(place.httpPort, '127.0.0.1', resolve))
  t.after(() => other.close())
  const taken = await text(place)
  assert.equal(taken.code, 1, taken.text)
  assert.match(taken.text, /fail +ports +http \S+ +in use by another program\n {4}Stop that one, or listen elsewhere/)
  assert.match(taken.text, /No program runs with this storage\. 1 thing wrong\.\n$/)
})

test('a CA that is not reached is wrong, and wrong uses are told', async (t) => {
  const place = await makePlaceFor(
    t,
    `acceptTerms: true
issuers: { ca: { directory: "https://127.0.0.1:9/directory" } }
sites: { localhost: { ${REDIRECT}, issuer: ca } }
`,
  )
  const { code, findings } = await doctor(place)
  assert.equal(code, 1)
  const [fault] = findings.filter(({ level }) => level === 'fail')
  assert.equal(fault?.check, 'ca')
  assert.match(fault.seen, /ECONNREFUSED/)
  for (const [args, message, expected] of [
    [['locahost'], 'No site is called "locahost"; did you mean "localhost"?', 1],
    [['--jsn'], "Unknown option '--jsn'; usage: castellan doctor [NAME…] [--config FILE] [--json]", 2],
  ] as const) {
    const refused = await text(place, ...args)
    assert.equal(refused.code, expected)
    assert.equal(refused.text, `castellan: ${message}\n`)
  }
})

test('a probe of port 80 finds the program that runs, a momentary one, and a stranger', {
  skip: missing('pebble') || ((await mayListenOn80()) ? false : 'this user may not listen on port 80'),
}, async (t) => {
  const place = await makePlace()
  const pebble = await startPebble({ httpPort: place.httpPort, tlsPort: place.httpsPort })
  t.after(async () => {
    await pebble.stop()
    await place.remove()
  })
  const config = (http: string): string => `acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}", challenges: http-01 } }
sites: { "${OWN_ADDRESS}": { ${REDIRECT}, issuer: pebble, certificate: { keys: ecdsa-p256 } } }
storage: ./data
log: { format: json }
listen: { https: "127.0.0.1:${place.httpsPort}", http: [${http}] }
`
  const configure = (http: string) => writeFile(`${place.folder}/castellan.yaml`, config(http))
  const both = `"127.0.0.1:${place.httpPort}", "${OWN_ADDRESS}:80"`
  await configure(both)
  const before = await doctor(place)
  assert.equal(before.running, false)
  assert.deepEqual(of(before, 'port 80'), [`ok ${OWN_ADDRESS}`])

  const castellan = new Castellan(place.folder)
  await castellan.until('serving')
  const running = await doctor(place)
  assert.equal(running.running, true)
  assert.deepEqual(of(running, 'port 80'), [`ok ${OWN_ADDRESS}`], JSON.stringify(running.findings))
  assert.deepEqual([...of(running, 'ca'), ...of(running, 'clock')], ['ok pebble', 'ok pebble'])
  assert.equal(await castellan.stop(), 0)

  await configure(`"127.0.0.1:${place.httpPort}"`)
  const stranger = createServer((socket) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'))
  stranger.listen(80, OWN_ADDRESS)
  t.after(() => stranger.close())
  const elsewhere = await doctor(place)
  const [found] = elsewhere.findings.filter(({ check }) => check === 'port 80')
  assert.equal(found?.seen, `${OWN_ADDRESS} port 80 answers 404, and is not this program`)
})
