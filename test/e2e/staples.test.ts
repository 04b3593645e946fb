import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { exportPrivateKey } from '../../src/pki/keys.ts'
import { StapledAuthority } from '../pki/stapled-authority.ts'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { type OcspResponder, startOcspResponder } from './peers/ocsp-responder.ts'
import { startPebble } from './peers/pebble.ts'
import { sClient } from './s-client.ts'

// Staples as real clients see them, by the responder that OpenSSL brings.

const run = promisify(execFile)
const HOUR = 3_600_000

const stapledClients = {
  'an ECDSA-only client of TLS 1.3': ['-tls1_3', '-sigalgs', 'ecdsa_secp256r1_sha256'],
  'an RSA-only client of TLS 1.3': ['-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256'],
  'an ECDSA-only client of TLS 1.2': ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  'an RSA-only client of TLS 1.2': ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'],
}

/** Every client gets the staple of the certificate that it is shown. */
async function checkAll(place: Place): Promise<void> {
  for (const [name, args] of Object.entries(stapledClients)) {
    const { chain, output } = await sClient(place.httpsPort, ['-servername', 'a.test', '-status', ...args])
    // The responder's own certificate is printed as well, ahead of it.
    const shown = chain.find((each) => each.checkHost('a.test'))
    assert.equal(shown?.publicKey.asymmetricKeyType, name.includes('ECDSA') ? 'ec' : 'rsa', name)
    assert.match(output, /OCSP Response Status: successful[\s\S]*Cert Status: good/, name)
    assert.equal(/Serial Number: (\w+)\s+Cert Status/.exec(output)?.[1], shown?.serialNumber, name)
  }
}

/** What openssl says of the staple that a client is shown: as independent a judge as there is. */
async function judge(place: Place, issuer: string, options: ConnectionOptions): Promise<string> {
  const { staple, leaf } = await shown(place, options)
  await writeFile(join(place.folder, 'staple'), staple)
  await writeFile(join(place.folder, 'leaf.pem'), leaf)
  await writeFile(join(place.folder, 'issuer.pem'), issuer)
  const question = ['-issuer', 'issuer.pem', '-cert', 'leaf.pem', '-CAfile', 'issuer.pem', '-partial_chain']
  const args = ['ocsp', '-respin', 'staple', '-no_nonce', ...question]
  const { stdout, stderr } = await run('openssl', args, { cwd: place.folder })
  return stdout + stderr
}

function shown(place: Place, options: ConnectionOptions): Promise<{ staple: Buffer; leaf: string }> {
  return new Promise((resolve, reject) => {
    const ask = { servername: 'a.test', requestOCSP: true, rejectUnauthorized: false, ...options }
    const socket: TLSSocket = connect({ port: place.httpsPort, host: '127.0.0.1', ...ask })
    let staple: Buffer = Buffer.alloc(0)
    socket.on('OCSPResponse', (response: Buffer | null) => {
      staple = response ?? staple
    })
    socket.once('secureConnect', () => {
      resolve({ staple, leaf: String(socket.getPeerX509Certificate()) })
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

async function startAll(t: TestContext): Promise<{ place: Place; responder: OcspResponder; start: () => Castellan }> {
  const place = await makePlace()
  const responder = await startOcspResponder()
  let castellan: Castellan | undefined
  t.after(async () => {
    await castellan?.stop()
    await responder.stop()
    await place.remove()
  })
  const start = (): Castellan => {
    castellan = new Castellan(place.folder)
    return castellan
  }
  return { place, responder, start }
}

test('own files of both kinds, each with its staple for clients that ask; also after a restart without a responder', {
  skip: missing('openssl'),
}, async (t) => {
  const { place, responder, start } = await startAll(t)
  const times = { notBefore: Date.now() - HOUR, notAfter: Date.now() + 100 * HOUR }
  const authority = await StapledAuthority.create(times)
  const delegate = await authority.delegate(times)
  const issuer = authority.root.certificate.x509.toString()
  const signer = {
    certificate: delegate.certificate.x509.toString(),
    privateKey: exportPrivateKey(delegate.privateKey),
  }
  await responder.configure({ issuer, signer, statusOf: () => 'good' })
  for (const keyKind of ['ecdsa-p256', 'rsa-2048'] as const) {
    const issued = await authority.issue({ names: ['a.test'], keyKind, ocspUrl: responder.url, ...times })
    await writeFile(join(place.folder, `${keyKind}.crt`), issued.chain)
    await writeFile(join(place.folder, `${keyKind}.key`), issued.privateKey)
  }
  await place.configure(`sites:
  a.test:
    redirectTo: https://b.example
    certificate:
      files:
        - { certificate: ecdsa-p256.crt, key: ecdsa-p256.key }
        - { certificate: rsa-2048.crt, key: rsa-2048.key }
`)
  const first = start()
  await first.until('serving')
  await first.until('staple-received', 2)
  await checkAll(place)
  for (const sigalgs of ['ECDSA+SHA256', 'RSA-PSS+SHA256']) {
    const verdict = await judge(place, issuer, { sigalgs })
    assert.match(verdict, /Response verify OK/)
    assert.match(verdict, /leaf\.pem: good/)
  }
  const unasked = await sClient(place.httpsPort, ['-servername', 'a.test'])
  assert.doesNotMatch(unasked.output, /OCSP Response/)
  assert.equal(await first.stop(), 0)
  assert.equal((await readdir(join(place.folder, 'data/staples'))).length, 2)
  assert.equal(responder.asked.length, 2)

  await responder.stop()
  const second = start()
  await second.until('serving')
  await checkAll(place)
  assert.deepEqual(second.of('staple-failed'), [])
})

const withPebble = missing('pebble') || missing('pebble-challtestsrv') || missing('openssl')

test('by ACME: a certificate that turns out to be revoked is replaced, and its successor is stapled', {
  skip: withPebble,
}, async (t) => {
  const { place, responder, start } = await startAll(t)
  const pebble = await startPebble({
    httpPort: place.httpPort,
    tlsPort: place.httpsPort,
    nonceReject: 5,
    ocspUrl: responder.url,
  })
  t.after(() => pebble.stop())
  const intermediate = await pebble.intermediate()
  const { certificate: issuer } = intermediate
  // The first that anybody asks about.
  const statusOf = (serial: string) => (serial === responder.asked[0] ? 'revoked' : 'good')
  await responder.configure({ issuer, signer: intermediate, statusOf })
  await place.configure(`acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}" } }
defaults: { issuer: pebble }
sites: { a.test: { redirectTo: "https://b.example" } }
`)
  const castellan = start()
  const [revoked] = await castellan.until('certificate-revoked')
  assert.match(revoked!.message, /was revoked at 2026-11-01T00:00:00Z \(keyCompromise\)/)
  await castellan.until('certificate-issued', 3)
  await castellan.until('staple-received', 2)
  // Renewals and answers reach the workers right after they are logged.
  await castellan.until(({ event, keyKind }) => event === 'staple-received' && keyKind === revoked!.keyKind)
  await checkAll(place)
  const requested = castellan.of('certificate-requested')
  assert.equal(requested.length, 3)
  // Before or after the first of the other kind of key.
  assert.equal(requested.filter(({ message }) => /it was revoked at/.test(message)).length, 1)
  assert.match(await judge(place, issuer, {}), /leaf\.pem: good[\s\S]*Response verify OK/)
})
