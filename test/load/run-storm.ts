import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Castellan, freePort, makePlace } from '../e2e/castellan.ts'
import { missing } from '../programs.ts'
import { forecast, percentile, type StormTally, storm } from './storm.ts'
import { StormApp } from './storm-app.ts'

// What `npm run storm` runs: three applications that die, hang, answer 500 and come back, under load; what the clients of
// Castellan saw, and what those of HAProxy saw of the same applications in the same weather.
//
//   npm run storm -- [--minutes N] [--seed S] [--only castellan|haproxy]

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
})
const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
if (!(minutes > 0) || !(seed > 0)) {
  process.stderr.write('--minutes takes how long to run, --seed a number from 1 up\n')
  process.exit(2)
}

/** A proxy in front of the applications: both check every second, and give an answer two seconds. */
type Front = { readonly port: number; end(): Promise<unknown> }

async function startCastellan(urls: readonly string[]): Promise<Front> {
  const place = await makePlace({ access: 'off' })
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
  }
  return { port: place.httpPort, end }
}

async function startHaproxy(urls: readonly string[]): Promise<Front> {
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

function row(name: string, { answered, passedOn, failed, broken, times }: StormTally, reached: number): string {
  const asked = times.length
  const part = ((100 * answered) / asked).toFixed(2)
  const [median, p99, most] = [50, 99, 100].map((each) => Math.round(percentile(times, each)))
  return `| ${[name, asked, `${part} %`, passedOn, failed, broken, reached, `${median} ms`, `${p99} ms`, `${most} ms`].join(' | ')} |\n`
}

const ms = minutes * 60_000
const turns = forecast(3, ms, seed)
process.stdout.write(`seed ${seed}, ${minutes} min, ${turns.length} changes of weather

| proxy | requests | 200 | 500 of an app | 502 to 504 | broken off | reached an app | median | 99th percentile | longest |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`)
let isWell = true
for (const [name, start] of [
  ['castellan', startCastellan],
  ['haproxy', startHaproxy],
] as const) {
  if (values.only !== undefined && values.only !== name) continue
  const lacks = name === 'haproxy' && missing('haproxy')
  if (lacks) {
    process.stdout.write(`${name} is left out: it ${lacks}\n`)
    continue
  }
  const ports = [await freePort(), await freePort(), await freePort()]
  const apps = ports.map((port) => new StormApp(port))
  for (const app of apps) await app.turn('well')
  const front = await start(ports.map((port) => `http://127.0.0.1:${port}`))
  const tally = await storm(front.port, apps, turns, ms)
  await front.end()
  process.stdout.write(
    row(
      name,
      tally,
      apps.reduce((sum, { requests }) => sum + requests, 0),
    ),
  )
  process.stderr.write(`${name}: ${JSON.stringify(tally.statuses)}\n`)
  if (name === 'castellan' && (tally.broken > 0 || tally.answered === 0)) isWell = false
}
process.stdout.write(isWell ? 'every client had an answer\n' : 'clients of castellan had no answer\n')
process.exit(isWell ? 0 : 1)
