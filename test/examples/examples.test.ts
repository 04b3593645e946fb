import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { glob, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { Client, credentials } from '@grpc/grpc-js'
import { WebSocket } from 'ws'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { Castellan, freePort, makePlace } from '../e2e/castellan.ts'
import { curl } from '../e2e/curl.ts'
import { startOcspResponder } from '../e2e/peers/ocsp-responder.ts'
import { startPebble } from '../e2e/peers/pebble.ts'
import { sClient } from '../e2e/s-client.ts'
import { missing } from '../programs.ts'
import { layExample, startApp } from './running-example.ts'

// Each example as its README runs it, on other ports.

const EXAMPLES = join(import.meta.dirname, '../../examples')
const skip = missing('curl')

test('every example says what it is for, and what its README names is there', async () => {
  const folders = await Array.fromAsync(glob('*/README.md', { cwd: EXAMPLES }))
  assert.ok(folders.length >= 9)
  for (const path of folders) {
    const text = readFileSync(join(EXAMPLES, path), 'utf8')
    assert.match(text, /^# \S/)
    for (const [, file = ''] of text.matchAll(/\]\(([^)#]+)\)/g))
      if (!/^https?:/.test(file)) assert.ok(existsSync(join(EXAMPLES, path, '..', file)), `${path}: ${file}`)
  }
})

test('one app', { skip }, async (t) => {
  const { place, ca, start } = await layExample(t, 'one-app')
  await start(2)
  const { output } = await curl('--cacert', ca, `https://app.localhost:${place.httpsPort}/`)
  assert.match(output, /200 [\s\S]*Hello, 127\.0\.0\.1: you came by https\./)
})

test('own certificates', { skip: skip || missing('openssl') }, async (t) => {
  const { place, start } = await layExample(t, 'own-certificates')
  await promisify(execFile)('sh', ['make-certificates.sh'], { cwd: place.folder })
  await start(0)
  const url = `https://shop.example.com:${place.httpsPort}/`
  const signatures = { 'ecdsa.crt': 'ecdsa_secp256r1_sha256', 'rsa.crt': 'rsa_pss_rsae_sha256' }
  for (const [file, signature] of Object.entries(signatures)) {
    const name = ['-servername', 'shop.example.com', '-CAfile', join(place.folder, file)]
    const { output } = await sClient(place.httpsPort, [...name, '-sigalgs', signature])
    assert.match(output, /Verify return code: 0 \(ok\)/, file)
  }
  const { output } = await curl('--cacert', join(place.folder, 'ecdsa.crt'), url)
  assert.match(output, /you came by https/)
})

test('an ACME CA of your own', {
  skip: missing('pebble') || missing('pebble-challtestsrv') || missing('openssl'),
}, async (t) => {
  const responder = await startOcspResponder()
  t.after(() => responder.stop())
  const { place, start } = await layExample(t, 'acme-ca', async (config, { folder, httpPort, httpsPort }) => {
    const pebble = await startPebble({ httpPort, tlsPort: httpsPort, ocspUrl: responder.url })
    t.after(() => pebble.stop())
    const signer = await pebble.intermediate()
    await responder.configure({ issuer: signer.certificate, signer, statusOf: () => 'good' })
    await writeFile(join(folder, 'corp-root.pem'), await readFile(pebble.trust))
    return config.replace(/https:\/\/ca\.corp\.example\S*/, pebble.directory)
  })
  const castellan = await start(2)
  await castellan.until('staple-received', 2)
  for (const [type, args] of Object.entries({ ec: 'ecdsa_secp256r1_sha256', rsa: 'rsa_pss_rsae_sha256' })) {
    const name = ['-servername', 'app.corp.internal', '-status']
    const { chain, output } = await sClient(place.httpsPort, [...name, '-sigalgs', args])
    assert.ok(chain.some((each) => each.publicKey.asymmetricKeyType === type && each.checkHost('app.corp.internal')))
    assert.match(output, /OCSP Response Status: successful[\s\S]*Cert Status: good/, type)
  }
})

test("customers' own names", { skip }, async (t) => {
  const { place, ca, start } = await layExample(t, 'on-demand')
  await start(0)
  // The CA is made for the first name that needs it.
  for (const trust of [['-k'], ['--cacert', ca]]) {
    const known = await curl(...trust, `https://shop.customer.example:${place.httpsPort}/`)
    assert.match(known.output, /200 [\s\S]*The customer's shop/)
  }
  const unknown = await curl('-k', `https://stranger.example:${place.httpsPort}/`)
  assert.match(unknown.output, /unrecognized name/)
})

test('gRPC', async (t) => {
  const { place, ca, start } = await layExample(t, 'grpc')
  await start(2)
  const client = new Client(`127.0.0.1:${place.httpsPort}`, credentials.createSsl(await readFile(ca)), {
    'grpc.ssl_target_name_override': 'grpc.localhost',
    'grpc.default_authority': 'grpc.localhost',
  })
  t.after(() => client.close())
  const say = (method: string) =>
    new Promise<string>((resolve, reject) => {
      const call = [Buffer.from, String, 'hello'] as const
      client.makeUnaryRequest(`/echo.Echo/${method}`, ...call, (error, said) =>
        error ? reject(error) : resolve(said!),
      )
    })
  assert.equal(await say('Say'), 'hello')
  await assert.rejects(say('Sing'), { code: 12 })
})

test('WebSockets', async (t) => {
  const { place, ca, start } = await layExample(t, 'websockets')
  await start(2)
  const headers = { Host: `chat.localhost:${place.httpsPort}` }
  const options = { ca: await readFile(ca), servername: 'chat.localhost', headers }
  const socket = new WebSocket(`wss://127.0.0.1:${place.httpsPort}/`, options)
  await once(socket, 'open')
  for (const text of ['hello', 'x'.repeat(1000)]) {
    socket.send(text)
    assert.equal(String((await once(socket, 'message'))[0]), text)
  }
  socket.ping('still there?')
  assert.equal(String((await once(socket, 'pong'))[0]), 'still there?')
  socket.close()
  assert.deepEqual((await once(socket, 'close'))[0], 1005)
})

test('behind a load balancer, with the PROXY protocol', async (t) => {
  const { place, ca, start } = await layExample(t, 'load-balancer')
  await start(2)
  const socket = connect(place.httpsPort, '127.0.0.1')
  socket.write('PROXY TCP4 203.0.113.9 127.0.0.1 40000 443\r\n')
  const tls = connectTls({ socket, servername: 'app.localhost', ca: await readFile(ca) })
  tls.write('GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n')
  assert.match(String(await buffer(tls)), /Hello, 203\.0\.113\.9: you came by https\./)
})

test('a sidecar in Docker Compose: hardened, and told by variables that there are', { skip }, async (t) => {
  const compose = parse(await readFile(join(EXAMPLES, 'compose/compose.yaml'), 'utf8'))
  const { castellan: service, app } = compose.services
  const { read_only, cap_drop, cap_add, tmpfs, volumes, healthcheck, security_opt } = service
  assert.deepEqual(
    { read_only, cap_drop, cap_add, tmpfs, volumes, security_opt },
    {
      read_only: true,
      cap_drop: ['ALL'],
      cap_add: ['NET_BIND_SERVICE'],
      tmpfs: ['/tmp'],
      volumes: ['data:/data'],
      security_opt: ['no-new-privileges:true'],
    },
  )
  assert.ok('data' in compose.volumes)
  const dockerfile = await readFile(join(EXAMPLES, '../Dockerfile'), 'utf8')
  assert.ok(dockerfile.includes(JSON.stringify(healthcheck.test.slice(1)).replaceAll(',', ', ')))

  const environment = Object.entries<string>(service.environment)
  // The defaults, as Compose fills them in.
  const env = Object.fromEntries(environment.map(([name, value]) => [name, value.replace(/\$\{\w+:-(.*)\}/, '$1')]))
  assert.equal((await loadConfig({ file: 'env:', env })).config.sites[0]!.name, 'app.localhost')
  const place = await makePlace()
  const port = await freePort()
  assert.deepEqual(app.environment, { HOST: '0.0.0.0', PORT: '3000' })
  await startApp(t, join(EXAMPLES, 'compose'), { HOST: '127.0.0.1', PORT: String(port) })
  const here = {
    CASTELLAN_UPSTREAM: env.CASTELLAN_UPSTREAM!.replace('app:3000', `127.0.0.1:${port}`),
    CASTELLAN_HTTPS: `127.0.0.1:${place.httpsPort}`,
    CASTELLAN_HTTP: `127.0.0.1:${place.httpPort}`,
    CASTELLAN_LOG_FORMAT: 'json',
  }
  const castellan = new Castellan(place.folder, ['run'], { ...process.env, ...env, ...here })
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const ca = join(place.folder, 'data/issuers/internal/root.crt')
  const { output } = await curl('--cacert', ca, `https://app.localhost:${place.httpsPort}/`)
  assert.match(output, /you came by https/)
})
