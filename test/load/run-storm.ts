import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Castellan, freePort, makePlace } from '../e2e/castellan.ts'
import { missing } from '../programs.ts'
import { type Front, forecast, newTally, percentile, storm } from './storm.ts'
import { StormApp } from './storm-app.ts'

// What `npm run storm` runs: three applications that die, hang, answer 500 and come back, under load; what the clients of
// Castellan saw, and what those of HAProxy saw of the same applications in the same weather.
//
//   npm run storm -- [--minutes N] [--seeds S,T,…] [--only castellan|haproxy] [--why]
//
// --why has Castellan log each request, and adds up what stands there of those that failed.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seeds: { type: 'string', default: '1,2,3' },
    only: { type: 'string' },
    why: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const seeds = values.seeds.split(',').map(Number)
if (!(minutes > 0) || !seeds.every((seed) => seed > 0)) {
  process.stderr.write('--minutes takes how long to run, --seeds numbers from 1 up\n')
  process.exit(2)
}

/** A proxy: both check every second, and give an answer two seconds. */
type Started = { readonly port: number; end(): Promise<unknown> }

async function startCastellan(urls: readonly string[]): Promise<Started> {
  const place = await makePlace({ access: values.why ? 'on' : 'off' })
  await place.configure(`workers: 1
sites:
  localhost:
    redirect: false
    certificate: { keys: [ecdsa-p256] }
    upstream:
      to: [${urls.map((url) => `"${url}"`).join(', ')}]
      health: { path: /healthz, every: 1s, timeout: 1s, healthyAfter: 1, unhealthyAfter: 2 }
      timeouts: { connect: 1s, firstByte: 2s }
`)
  const castellan = new Castellan(place.folder)
  await castellan.until('serving')
  const end = async (): Promise<void> => {
    await castellan.stop()
    await place.remove()
    if (values.why) process.stderr.write(`why: ${JSON.stringify(whyOf(castellan))}\n`)
  }
  return { port: place.httpPort, end }
}

/** How many requests failed in which way. */
function whyOf(castellan: Castellan): Record<string, number> {
  const found: Record<string, number> = {}
  for (const { status, why, cause, attempts } of castellan.of('request')) {
    if (why === undefined) continue
    const words = `${status} ${why} ${cause ?? ''} after ${attempts} attempts`
    found[words] = (found[words] ?? 0) + 1
  }
  return found
}

async function startHaproxy(urls: readonly string[]): Promise<Started> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-storm-'))
  const port = await freePort()
  const servers = urls.map((url, index) => `  server s${index} ${new URL(url).host}`).join('\n')
  const config = `global
  nbthread 1
defaults
  mode http
  timeout connect 1s
  timeout server 2s
  timeout client 30s
  timeout queue 10s
  retries 1
  option redispatch 1
  retry-on conn-failure empty-response response-timeout
frontend front
  bind 127.0.0.1:${port}
  default_backend apps
backend apps
  balance leastconn
  option httpchk GET /healthz
  default-server check inter 1s fall 2 rise 1
${servers}
`
  await writeFile(join(folder, 'haproxy.cfg'), config)
  const child: ChildProcess = spawn('haproxy', ['-db', '-q', '-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' })
  while (!(await listens(port))) await new Promise((resolve) => setTimeout(resolve, 20))
  const end = async (): Promise<void> => {
    child.kill('SIGTERM')
    await once(child, 'exit')
    await rm(folder, { recursive: true, force: true })
  }
  return { port, end }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function row(seed: number, { name, tally }: Front, apps: readonly StormApp[]): string {
  const { answered, passedOn, failed, broken, times } = tally
  const reached = apps.reduce((sum, { requests }) => sum + (requests[`/${name}`] ?? 0), 0)
  const asked = times.length
  const part = ((100 * answered) / asked).toFixed(2)
  const [median, p99, most] = [50, 99, 100].map((each) => Math.round(percentile(times, each)))
  return `| ${[seed, name, asked, `${part} %`, passedOn, failed, broken, reached, `${median} ms`, `${p99} ms`, `${most} ms`].join(' | ')} |\n`
}

const starts = { castellan: startCastellan, haproxy: startHaproxy }

function whoIsIn(): (keyof typeof starts)[] {
  const names = (['castellan', 'haproxy'] as const).filter((name) => (values.only ?? name) === name)
  const lacks = missing('haproxy')
  if (!names.includes('haproxy') || !lacks) return names
  process.stdout.write(`haproxy is left out: it ${lacks}\n`)
  return ['castellan']
}

/** Whether every client of Castellan had an answer. */
async function run(seed: number, names: readonly (keyof typeof starts)[]): Promise<boolean> {
  const ports = [await freePort(), await freePort(), await freePort()]
  const apps = ports.map((port) => new StormApp(port))
  for (const app of apps) await app.turn('well')
  const urls = ports.map((port) => `http://127.0.0.1:${port}`)
  const fronts = await Promise.all(
    names.map(async (name) => ({ name, tally: newTally(), ...(await starts[name](urls)) })),
  )
  const ms = minutes * 60_000
  await storm(fronts, apps, forecast(apps.length, ms, seed), ms)
  for (const front of fronts) {
    await front.end()
    process.stdout.write(row(seed, front, apps))
    const { statuses, moments } = front.tally
    process.stderr.write(`${front.name}: ${JSON.stringify(statuses)} ${JSON.stringify(Object.fromEntries(moments))}\n`)
  }
  return fronts.every(({ name, tally }) => name !== 'castellan' || (tally.broken === 0 && tally.answered > 0))
}

process.stdout.write(`${minutes} min for each seed

| seed | proxy | requests | 200 | 500 of an app | 502 to 504 | broken off | reached an app | median | 99th percentile | longest |
| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`)
const names = whoIsIn()
let isWell = true
for (const seed of seeds) isWell = (await run(seed, names)) && isWell
process.stdout.write(isWell ? 'every client had an answer\n' : 'clients of castellan had no answer\n')
process.exit(isWell ? 0 : 1)
