import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseChain } from '../../src/pki/certificate.ts'
import { visit, visitors } from '../day/visitors.ts'
import { missing } from '../programs.ts'
import { Castellan, makePlace } from './castellan.ts'
import { startPebble } from './peers/pebble.ts'

const NAMES = 50
/** An order takes tenths of a second, five run at a time, and the RSA keys are the greatest part of the work. */
const WITHIN_MS = 100_000

test(`${NAMES} sites at once: a certificate of either kind for each, and each for the clients that can verify it`, {
  skip: missing('pebble') || missing('pebble-challtestsrv') || missing('openssl'),
}, async (t) => {
  const place = await makePlace()
  const pebble = await startPebble({ httpPort: place.httpPort, tlsPort: place.httpsPort, nonceReject: 5 })
  const names = Array.from({ length: NAMES }, (_, index) => `s${index}.test`)
  await place.configure(`acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}" } }
defaults: { issuer: pebble }
sites:
${names.map((name) => `  ${name}: { redirectTo: "https://b.example" }\n`).join('')}`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await pebble.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2 * NAMES, 0, WITHIN_MS)
  assert.equal(castellan.of('certificate-requested').length, 2 * NAMES, 'each was ordered once')
  assert.deepEqual([castellan.of('certificate-failed'), castellan.of('certificate-wrongly-served')], [[], []])
  assert.equal(pebble.accounts(), 1)
  const [ca] = parseChain((await pebble.intermediate()).certificate)
  const serials = new Set<string>()
  for (const name of names)
    for (const visitor of visitors) {
      const { certificate, issuer } = await visit(place.httpsPort, name, visitor)
      assert.equal(certificate.keyKind, visitor.keyKind, name)
      assert.deepEqual(certificate.names, [name])
      assert.equal(issuer?.fingerprint, ca.fingerprint, name)
      assert.ok(certificate.x509.verify(ca.publicKey), name)
      serials.add(certificate.serial)
    }
  assert.equal(serials.size, 2 * NAMES)
})
