import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { missing } from '../programs.ts'
import { Castellan, type LogLine, makePlace, type Place } from './castellan.ts'
import { type Pebble, startPebble } from './peers/pebble.ts'
import { clients, sClient } from './s-client.ts'

// The program against Let's Encrypt's own test server, which is strict and refuses one nonce in twenty.

const skip = missing('pebble') || missing('pebble-challtestsrv') || missing('openssl')

async function startCa(place: Place, options: { validitySeconds?: number } = {}): Promise<Pebble> {
  return startPebble({ httpPort: place.httpPort, tlsPort: place.httpsPort, nonceReject: 5, strict: true, ...options })
}

function issuerConfig({ directory, trust }: Pebble, challenges = '[tls-alpn-01, http-01]'): string {
  return `contact: ops@example.com
acceptTerms: true
issuers: { pebble: { directory: "${directory}", trust: "${trust}", challenges: ${challenges} } }
defaults: { issuer: pebble }
`
}

for (const challenge of ['http-01', 'tls-alpn-01'])
  test(`both kinds of certificate by ${challenge}, the whole chain served, and a restart orders nothing`, {
    skip,
  }, async (t) => {
    const place = await makePlace()
    const pebble = await startCa(place)
    await place.configure(
      `${issuerConfig(pebble, `[${challenge}]`)}sites: { a.test: { aliases: [www.a.test], redirectTo: "https://b.example" } }`,
    )
    const castellan = new Castellan(place.folder)
    t.after(async () => {
      await castellan.stop()
      await pebble.stop()
      await place.remove()
    })
    await castellan.until('certificate-issued', 2)
    const root = join(place.folder, 'root.pem')
    await writeFile(root, await pebble.rootPem())
    for (const [name, args] of Object.entries(clients))
      for (const serverName of ['a.test', 'www.a.test']) {
        const { chain, output } = await sClient(place.httpsPort, ['-servername', serverName, '-CAfile', root, ...args])
        assert.equal(chain[0]?.publicKey.asymmetricKeyType, name === 'an ECDSA client' ? 'ec' : 'rsa', name)
        assert.ok(chain[0]?.checkHost(serverName), name)
        assert.ok(chain.length > 1, 'the intermediate is sent along')
        assert.match(output, /Verify return code: 0 \(ok\)/, name)
      }
    assert.equal(await castellan.stop(), 0)
    const again = new Castellan(place.folder)
    await again.until('serving')
    const { chain } = await sClient(place.httpsPort, ['-servername', 'a.test'])
    assert.ok(chain[0]?.checkHost('a.test'))
    assert.equal(await again.stop(), 0)
    assert.deepEqual(again.of('certificate-requested'), [])
  })

test('the CA has one account after a restart, and a second one only when the first is lost (RFC 8555 §7.3.1)', {
  skip,
}, async (t) => {
  const place = await makePlace()
  const pebble = await startCa(place)
  let castellan: Castellan | undefined
  t.after(async () => {
    await castellan?.stop()
    await pebble.stop()
    await place.remove()
  })
  const accountsAfterRun = async (names: readonly string[]): Promise<number> => {
    const sites = names.map((name) => `${name}: { redirectTo: "https://x.example" }`).join(', ')
    await place.configure(`${issuerConfig(pebble)}sites: { ${sites} }`)
    castellan = new Castellan(place.folder)
    // Of both kinds, for the name that is new.
    await castellan.until('certificate-issued', 2)
    assert.equal(await castellan.stop(), 0)
    return pebble.accounts()
  }
  assert.equal(await accountsAfterRun(['a.test']), 1)
  assert.equal(await accountsAfterRun(['a.test', 'b.test']), 1)
  await rm(join(place.folder, 'data', 'issuers', 'pebble'), { recursive: true })
  assert.equal(await accountsAfterRun(['a.test', 'b.test', 'c.test']), 2)
})

/** One request on a connection of its own; resolves with the serial number that the server showed. */
function requestOnce(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({
      port,
      host: '127.0.0.1',
      servername: 'a.test',
      headers: { Host: 'a.test' },
      agent: false,
      rejectUnauthorized: false,
    })
    sent.once('error', reject)
    sent.once('response', (response) => {
      const { serialNumber } = (response.socket as import('node:tls').TLSSocket).getPeerCertificate()
      response.resume().once('end', () => {
        if (response.statusCode === 200) resolve(serialNumber)
        else reject(new Error(`status ${response.statusCode}`))
      })
    })
    sent.end()
  })
}

test('renewals are swapped in under load without a failed request', { skip }, async (t) => {
  const app = createServer((_request, response) => {
    response.end('ok')
  })
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const place = await makePlace()
  const pebble = await startCa(place, { validitySeconds: 24 })
  const { port } = app.address() as { port: number }
  await place.configure(`${issuerConfig(pebble)}workers: 2\nsites: { a.test: "http://127.0.0.1:${port}" }`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    app.close()
    await pebble.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  const serials = new Set<string>()
  let requests = 0
  let isOver = false
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (!isOver) {
        serials.add(await requestOnce(place.httpsPort))
        requests++
      }
    }),
  )
  await Promise.race([load, castellan.until('certificate-renewed', 4, 0, 60_000)])
  isOver = true
  await load
  assert.ok(requests > 100, `${requests} requests`)
  assert.ok(serials.size >= 2, `${serials.size} certificates were seen`)
})

test('a CA that is down is said once, in its own words and when it is looked at again; the rest goes on; it is asked when it is back', {
  skip,
}, async (t) => {
  const place = await makePlace()
  const pebble = await startCa(place)
  await place.configure(
    `${issuerConfig(pebble)}sites:\n  a.test: { redirectTo: "https://x.example" }\n  b.test: { redirectTo: "https://x.example", issuer: internal }\n`,
  )
  await pebble.pause()
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await pebble.stop()
    await place.remove()
  })
  const [outage] = await castellan.until('ca-out-of-order')
  assert.match(outage!.message, /ECONNREFUSED|refused/)
  assert.match(outage!.message, /in 1 minute/)
  assert.equal(outage!.level, 'warn')
  await castellan.until('serving')
  // Who asks for a.test meanwhile is refused at once, and the log says what is waited for.
  const { chain, output } = await sClient(place.httpsPort, ['-servername', 'a.test'])
  assert.equal(chain.length, 0)
  assert.match(output, /alert internal error/)
  const [waiting] = await castellan.until('handshake-waiting')
  assert.match(waiting!.message, /a\.test/)
  await castellan.until('certificate-issued', 2)
  const { chain: internal } = await sClient(place.httpsPort, ['-servername', 'b.test'])
  assert.equal(internal.length, 1)
  await pebble.restart()
  await castellan.until(isOf('certificate-issued', 'a.test'), 2, 0, 90_000)
  assert.equal(castellan.lines.filter(({ event }) => event === 'ca-out-of-order').length, 1)
  assert.equal(castellan.lines.filter(({ event }) => event === 'certificate-failed').length, 0)
  const { chain: late } = await sClient(place.httpsPort, ['-servername', 'a.test'])
  assert.ok(late[0]?.checkHost('a.test'))
})

test('a name that the CA cannot reach: its words, and the other site is served', { skip }, async (t) => {
  const place = await makePlace()
  const pebble = await startPebble({
    httpPort: place.httpPort,
    tlsPort: place.httpsPort,
    domainBlocklist: ['bad.test'],
  })
  await place.configure(
    `${issuerConfig(pebble)}sites:\n  bad.test: { redirectTo: "https://x.example" }\n  good.test: { redirectTo: "https://x.example" }\n`,
  )
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await pebble.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  const [failed] = await castellan.until('certificate-failed')
  assert.match(failed!.message, /for bad\.test\..* So long the rsa-2048 one is not ordered either\./)
  assert.match(failed!.message, /rejectedIdentifier|not permitted|blocked|policy/i)
  const { chain } = await sClient(place.httpsPort, ['-servername', 'good.test'])
  assert.ok(chain[0]?.checkHost('good.test'))
})

test('a program killed in the middle of an issuance, 20 times, starts again every time with no file damaged', {
  skip,
}, async (t) => {
  const place = await makePlace()
  const pebble = await startCa(place)
  t.after(async () => {
    await pebble.stop()
    await place.remove()
  })
  // A new name each round, so that there is something to issue, and a moment that moves through the whole of it.
  const sites: string[] = []
  for (let round = 0; round < 20; round++) {
    sites.push(`  s${round}.test: { redirectTo: "https://x.example" }`)
    await place.configure(`${issuerConfig(pebble)}workers: 1\nsites:\n${sites.join('\n')}\n`)
    const castellan = new Castellan(place.folder)
    await castellan.until((line) => line.event === 'certificate-requested' && line.message.includes(`s${round}.test`))
    await new Promise((resolve) => setTimeout(resolve, round * 40))
    await castellan.stop('SIGKILL')
    assert.deepEqual(damages(castellan), [])
  }
  const last = new Castellan(place.folder)
  await last.until('serving')
  assert.equal(await last.stop(), 0)
  assert.deepEqual(damages(last), [])
})

function isOf(event: string, name: string) {
  return (line: LogLine): boolean => line.event === event && line.message.includes(name)
}

function damages({ lines }: Castellan): string[] {
  return lines.filter(({ event }) => /damaged|unreadable|exception/.test(event)).map(({ message }) => message)
}

test('without the terms accepted nothing is ordered, and the log says where they are', { skip }, async (t) => {
  const place = await makePlace()
  const pebble = await startCa(place)
  await place.configure(
    `issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}" } }\nsites: { a.test: { redirectTo: "https://x.example", issuer: pebble } }`,
  )
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await pebble.stop()
    await place.remove()
  })
  const [failure] = await castellan.until('certificate-failed')
  assert.match(failure!.message, /terms.*(https?|data):.*acceptTerms: true/is)
})

test('a certificate of one’s own is reread when it changes', { skip }, async (t) => {
  const place = await makePlace()
  const { createCertificateAuthority, issueCertificate } = await import('../../src/pki/certificate-authority.ts')
  const { exportPrivateKey, generateKey } = await import('../../src/pki/keys.ts')
  const authority = await createCertificateAuthority({ label: 'test', now: Date.now() })
  const bring = async (): Promise<void> => {
    const { publicKey, privateKey } = await generateKey('ecdsa-p256')
    const lifetimeMs = 86_400_000
    const chain = await issueCertificate(authority, { names: ['a.test'], publicKey, now: Date.now(), lifetimeMs })
    await writeFile(join(place.folder, 'own.key'), exportPrivateKey(privateKey))
    await writeFile(join(place.folder, 'own.crt'), `subject=a.test\n${chain}`)
  }
  await bring()
  await place.configure(
    'sites: { a.test: { redirectTo: "https://x.example", certificate: { files: [{ certificate: ./own.crt, key: ./own.key }] } } }',
  )
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('serving')
  const serial = async (): Promise<string> =>
    (await sClient(place.httpsPort, ['-servername', 'a.test'])).chain[0]!.serialNumber
  const before = await serial()
  await bring()
  const giveUp = Date.now() + 30_000
  while ((await serial()) === before && Date.now() < giveUp) await new Promise((resolve) => setTimeout(resolve, 500))
  assert.notEqual(await serial(), before)
})

test('session state never crosses names: a handshake resumed under another name shows that name’s certificate', {
  skip,
}, async (t) => {
  const place = await makePlace()
  await place.configure(
    'workers: 1\nsites:\n  a.test: { redirectTo: "https://x.example" }\n  b.test: { redirectTo: "https://x.example" }\n',
  )
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 4)
  await castellan.until('serving')
  const open = (servername: string, session?: Buffer): Promise<{ resumed: boolean; session: Buffer | undefined }> =>
    new Promise((resolve, reject) => {
      const socket = connect({
        port: place.httpsPort,
        host: '127.0.0.1',
        servername,
        session,
        rejectUnauthorized: false,
      })
      let ticket: Buffer | undefined
      let resumed = false
      socket.once('session', (given) => {
        ticket = given
        socket.end()
      })
      socket.once('error', reject)
      socket.once('secureConnect', () => {
        resumed = socket.isSessionReused()
        setTimeout(() => socket.end(), 300)
      })
      socket.once('close', () => resolve({ resumed, session: ticket }))
    })
  const { session } = await open('a.test')
  assert.ok(session)
  assert.equal((await open('a.test', session)).resumed, true)
  assert.equal((await open('b.test', session)).resumed, false)
})
