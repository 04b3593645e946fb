import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { connect, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { bindListeningSocket } from '../../src/supervisor/listening-sockets.ts'
import { systemClock } from '../../src/system/clock.ts'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { curl } from './curl.ts'
import { clients, sClient } from './s-client.ts'

// The program as its operator meets it, with the CA in the data folder.

async function startApp(listener: Parameters<typeof createServer>[1]): Promise<{ url: string; server: Server }> {
  const server = createServer({}, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, server }
}

function rootOf({ folder }: Place): string {
  return join(folder, 'data/issuers/internal/root.crt')
}

test('the first HTTPS page: served, redirected to, trusted with the CA that the log names', {
  skip: missing('curl'),
}, async (t) => {
  const app = await startApp((request, response) => {
    response.end(`${request.headers['x-forwarded-proto']} ${request.headers.host}`)
  })
  const place = await makePlace()
  await place.configure(`sites: { localhost: "${app.url}" }`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    app.server.close()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  const [hint] = await castellan.until('internal-ca')
  assert.ok(hint!.message.includes(rootOf(place)))
  const origin = `https://localhost:${place.httpsPort}`
  assert.ok(castellan.of('serving')[0]!.message.includes(origin))
  for (const version of ['--http1.1', '--http2']) {
    const { output } = await curl(version, '--cacert', rootOf(place), `${origin}/`)
    assert.match(output, new RegExp(`^HTTP/\\S+ 200 [\\s\\S]*https localhost:${place.httpsPort}$`))
  }
  const { output } = await curl(`http://localhost:${place.httpPort}/a?b`)
  assert.match(output, /^HTTP\/1\.1 308 /)
  assert.match(output, new RegExp(`^Location: ${origin}/a\\?b\r$`, 'm'))
})

test('each client gets the certificate that it can verify; who asks for another name gets an alert', {
  skip: missing('openssl'),
}, async (t) => {
  const place = await makePlace()
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  for (const [name, args] of Object.entries(clients)) {
    const kind = name === 'an ECDSA client' ? 'ec' : 'rsa'
    const { chain, output } = await sClient(place.httpsPort, [
      '-servername',
      'a.test',
      '-CAfile',
      rootOf(place),
      ...args,
    ])
    assert.equal(chain[0]?.publicKey.asymmetricKeyType, kind, name)
    assert.match(output, /Verify return code: 0 \(ok\)/, name)
  }
  for (const args of [['-servername', 'other.test'], ['-noservername']]) {
    const { chain, output } = await sClient(place.httpsPort, args)
    assert.equal(chain.length, 0)
    assert.match(output, /alert number 112/)
  }
})

test('a restart orders nothing, and the storage is for its owner alone', async (t) => {
  const place = await makePlace()
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  t.after(() => place.remove())
  const first = new Castellan(place.folder)
  await first.until('certificate-issued', 2)
  assert.equal(await first.stop(), 0)
  const second = new Castellan(place.folder)
  await second.until('serving')
  await wait(300)
  assert.equal(await second.stop(), 0)
  assert.deepEqual([...second.of('certificate-requested'), ...second.of('certificate-issued')], [])
  assert.equal((await stat(join(place.folder, 'data'))).mode & 0o777, 0o700)
  assert.equal((await stat(join(place.folder, 'data/issuers/internal/authority'))).mode & 0o777, 0o600)
})

test('SIGTERM finishes the request under way and exits 0', { skip: missing('curl') }, async (t) => {
  const begun = Promise.withResolvers<void>()
  const app = await startApp((_request, response) => {
    response.write('one ')
    begun.resolve()
    setTimeout(() => response.end('two'), 700)
  })
  const place = await makePlace()
  await place.configure(`sites: { a.test: { upstream: "${app.url}", redirect: false } }`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    app.server.close()
    await place.remove()
  })
  await castellan.until('serving')
  const idle = connect(place.httpPort, '127.0.0.1')
  const answer = curl(`http://a.test:${place.httpPort}/`)
  await begun.promise
  const stopped = castellan.stop()
  assert.match((await answer).output, /one two$/)
  assert.equal(await stopped, 0)
  idle.destroy()
  // Nothing of the program may be left: its ports are free.
  const probe = createTcpServer()
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(place.httpPort, '127.0.0.1', resolve))
  probe.close()
})

test('a request that never ends is cut when the drain time is over', { skip: missing('curl') }, async (t) => {
  const begun = Promise.withResolvers<void>()
  const app = await startApp((_request, response) => {
    response.write('one ')
    begun.resolve()
  })
  const place = await makePlace()
  await place.configure(`timeouts: { drain: 1s }\nsites: { a.test: { upstream: "${app.url}", redirect: false } }`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    app.server.closeAllConnections()
    app.server.close()
    await place.remove()
  })
  await castellan.until('serving')
  const answer = curl(`http://a.test:${place.httpPort}/`)
  await begun.promise
  const asked = Date.now()
  assert.equal(await castellan.stop('SIGINT'), 0)
  assert.ok(Date.now() - asked < 5_000)
  assert.notEqual((await answer).exitCode, 0)
})

test('a worker that is killed is replaced, and the others go on serving', { skip: missing('curl') }, async (t) => {
  const app = await startApp((_request, response) => {
    setTimeout(() => response.end('ok'), 20)
  })
  const place = await makePlace()
  await place.configure(`workers: 2\nsites: { a.test: { upstream: "${app.url}", redirect: false } }`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    app.server.close()
    await place.remove()
  })
  for (let kills = 0; kills < 3; kills++) {
    const ready = await castellan.until('worker-ready', 2 + kills)
    process.kill(Number(/\d+/.exec(ready.at(-1)!.message)), 'SIGKILL')
    const answers = await Promise.all(Array.from({ length: 20 }, () => curl(`http://a.test:${place.httpPort}/`)))
    // Those that the killed worker had accepted are lost; whoever asks after that is served.
    assert.ok(answers.filter(({ exitCode }) => exitCode === 0).length >= 15)
  }
  await castellan.until('worker-ready', 5)
  for (const { message } of castellan.of('worker-exited'))
    assert.match(message, /signal SIGKILL.*1 other goes on serving, a new one starts (now|in [12] s)/)
})

test('a worker that gets SIGTERM finishes its requests, and is replaced', { skip: missing('curl') }, async (t) => {
  const begun = Promise.withResolvers<() => void>()
  const app = await startApp((request, response) => {
    if (request.url === '/long') {
      response.write('one ')
      begun.resolve(() => response.end('two'))
    } else response.end('ok')
  })
  const place = await makePlace()
  await place.configure(`workers: 1\nsites: { a.test: { upstream: "${app.url}", redirect: false } }`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    app.server.close()
    await place.remove()
  })
  const [ready] = await castellan.until('worker-ready')
  const long = curl(`http://a.test:${place.httpPort}/long`)
  const finish = await begun.promise
  process.kill(Number(/\d+/.exec(ready!.message)), 'SIGTERM')
  // Nobody accepts it until the next worker has come, and nobody refuses it.
  assert.match((await curl(`http://a.test:${place.httpPort}/`)).output, /ok$/)
  await castellan.until('worker-ready', 2)
  finish()
  assert.match((await long).output, /one two$/)
  assert.equal(castellan.of('worker-draining').length, 1)
  assert.deepEqual(castellan.of('worker-exited'), [])
})

test('while the supervisor is held up, names that clients have come for are served, and others wait for it', {
  skip: missing('curl'),
}, async (t) => {
  const place = await makePlace()
  const site = '{ redirectTo: "https://elsewhere.example" }'
  await place.configure(`workers: 1\ntimeouts: { handshake: 20s }\nsites: { a.test: ${site}, b.test: ${site} }`)
  // What is issued is proven with the workers, which know it from then on.
  const issuing = new Castellan(place.folder)
  await issuing.until('certificate-issued', 4)
  await issuing.stop()
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    castellan.process.kill('SIGCONT')
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('serving')
  const visit = (name: string) => curl('--cacert', rootOf(place), `https://${name}:${place.httpsPort}/`)
  assert.match((await visit('a.test')).output, /^HTTP\/\S+ 308 /)
  castellan.process.kill('SIGSTOP')
  let isServed = false
  const first = visit('b.test').then(({ output }) => {
    isServed = true
    return output
  })
  for (let visits = 0; visits < 3; visits++) assert.match((await visit('a.test')).output, /^HTTP\/\S+ 308 /)
  assert.equal(isServed, false)
  castellan.process.kill('SIGCONT')
  assert.match(await first, /^HTTP\/\S+ 308 /)
})

test('sockets that systemd has opened are served', { skip: missing('curl') }, async (t) => {
  const place = await makePlace()
  const host = '127.0.0.1'
  const https = await bindListeningSocket({ type: 'tcp', host, port: place.httpsPort }, systemClock)
  const http = await bindListeningSocket({ type: 'tcp', host, port: place.httpPort }, systemClock)
  await writeFile(
    join(place.folder, 'castellan.yaml'),
    'listen: { https: "fd:3", http: "fd:4" }\nlog: { format: json }\nsites: { a.test: { redirectTo: "https://b.example" } }',
  )
  const castellan = new Castellan(place.folder, ['run'], process.env, [https.fd, http.fd])
  t.after(async () => {
    await castellan.stop()
    https.close()
    http.close()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  for (const origin of [`http://a.test:${place.httpPort}`, `https://a.test:${place.httpsPort}`]) {
    const { output } = await curl('--cacert', rootOf(place), `${origin}/x`)
    assert.match(output, /^HTTP\/\S+ 308 [\s\S]*location: https:\/\/b\.example\/x/i)
  }
})

test('a killed program leaves no worker, no port and no lock behind', async (t) => {
  const place = await makePlace()
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  t.after(() => place.remove())
  for (let round = 0; round < 3; round++) {
    const castellan = new Castellan(place.folder)
    await castellan.until('serving')
    await castellan.stop('SIGKILL')
  }
  const last = new Castellan(place.folder)
  await last.until('serving')
  assert.equal(await last.stop(), 0)
})

test('a port in use is one sentence that names it and the ways out', async (t) => {
  const place = await makePlace()
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  const squatter = createTcpServer()
  await new Promise<void>((resolve) => squatter.listen(place.httpsPort, '127.0.0.1', resolve))
  t.after(async () => {
    squatter.close()
    await place.remove()
  })
  const castellan = new Castellan(place.folder)
  assert.equal((await castellan.exited).code, 1)
  assert.match(castellan.text, new RegExp(`^castellan: Port ${place.httpsPort} is in use by another program; .*\n$`))
})

test('a second program on the same folder is refused, and says who has it', async (t) => {
  const place = await makePlace()
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  const first = new Castellan(place.folder)
  t.after(async () => {
    await first.stop()
    await place.remove()
  })
  await first.until('serving')
  const second = new Castellan(place.folder)
  assert.equal((await second.exited).code, 1)
  assert.ok(second.text.includes(String(first.process.pid)), second.text)
})

test('a wrong config is every problem with its place, and nothing starts', async (t) => {
  const place = await makePlace()
  await place.configure('sites:\n  a.test: { upsteam: "http://localhost:3000" }\n  b.test: localhost:3000\n')
  t.after(() => place.remove())
  for (const command of ['run', 'validate']) {
    const castellan = new Castellan(place.folder, [command])
    assert.equal((await castellan.exited).code, 1)
    assert.match(castellan.text, /castellan\.yaml:5:\d+: sites\."a\.test"\.upsteam: .*did you mean "upstream"/)
    assert.match(castellan.text, /castellan\.yaml:6:\d+: sites\."b\.test": .*did you mean "http:\/\/localhost:3000"/)
  }
})

test('a damaged certificate is reported by name, set aside and replaced', async (t) => {
  const place = await makePlace()
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  t.after(() => place.remove())
  const first = new Castellan(place.folder)
  await first.until('certificate-issued', 2)
  await first.stop()
  const file = join(place.folder, 'data/certificates/a.test.rsa-2048')
  const whole = await readFile(file)
  await writeFile(file, whole.subarray(0, whole.length / 2))
  const second = new Castellan(place.folder)
  await second.until('certificate-issued')
  assert.equal(await second.stop(), 0)
  const [damage] = second.of('certificate-damaged')
  assert.match(damage!.message, /a\.test\.rsa-2048/)
  const aside = /\S*set-aside\S*[\w-]/.exec(damage!.message)
  assert.deepEqual(await readFile(aside![0]), whole.subarray(0, whole.length / 2))
  assert.doesNotMatch(JSON.stringify(second.lines), /-----BEGIN|MII/)
})

test('storage that cannot be read: the program refuses to start and says which file', async (t) => {
  const place = await makePlace()
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  t.after(() => place.remove())
  await writeFile(join(place.folder, 'data'), 'a file where the folder should be')
  const castellan = new Castellan(place.folder)
  assert.equal((await castellan.exited).code, 1)
  assert.match(castellan.text, new RegExp(`^castellan: .*${join(place.folder, 'data')}`))
})
