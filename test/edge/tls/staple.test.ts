import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { parseChain } from '../../../src/pki/certificate.ts'
import { clients, sClient } from '../../e2e/s-client.ts'
import { signedResponse } from '../../pki/signed-response.ts'
import { StapledAuthority } from '../../pki/stapled-authority.ts'
import { missing } from '../../programs.ts'
import { greet, served, type TestCertificate } from './served.ts'

const HOUR = 3_600_000
const now = Date.now()
const times = { notBefore: now - HOUR, notAfter: now + 24 * HOUR }
const ca = await StapledAuthority.create(times)

async function stapled(keyKind: 'ecdsa-p256' | 'rsa-2048'): Promise<TestCertificate> {
  const issued = await ca.issue({ names: ['a.test'], keyKind, ...times })
  const key = keyKind === 'rsa-2048' ? keyKind : 'prime256v1'
  return { id: keyKind, names: ['a.test'], key, ...issued, staple: responseFor(issued.chain) }
}

function responseFor(chain: string, thisUpdate = now - HOUR): string {
  const [certificate] = parseChain(chain)
  const nextUpdate = now + HOUR
  const { root } = ca
  const content = { certificate, issuer: root.certificate, thisUpdate, nextUpdate, signer: root }
  return signedResponse(content).toString('base64')
}

const dual = [await stapled('rsa-2048'), await stapled('ecdsa-p256')]

type Seen = { staple: string | undefined; isResumed: boolean; session: Buffer | undefined; kind: string | undefined }

/** What a client of Node is shown; it asks for a staple, unless told otherwise. */
function look(port: number, options: ConnectionOptions = {}): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const seen: Seen = { staple: undefined, isResumed: false, session: undefined, kind: undefined }
    const trust = { ca: ca.root.certificate.x509.toString(), servername: 'a.test', requestOCSP: true }
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', ...trust, ...options })
    socket.on('OCSPResponse', (response: Buffer | null) => {
      seen.staple = response?.toString('base64')
    })
    socket.on('session', (session) => {
      seen.session = session
    })
    socket.once('secureConnect', () => {
      seen.isResumed = socket.isSessionReused()
      seen.kind = (socket.getPeerX509Certificate()?.publicKey.asymmetricKeyType ?? undefined) as string | undefined
    })
    socket.on('error', reject)
    socket.on('end', () => resolve(seen))
    socket.resume()
  })
}

for (const [name, args] of Object.entries(clients))
  test(`${name} gets the staple of its certificate`, { skip: missing('openssl') }, async (t) => {
    const { port } = await served(t, dual, greet)
    const { output, chain } = await sClient(port, ['-servername', 'a.test', '-status', ...args])
    assert.match(output, /OCSP Response Status: successful/)
    assert.match(output, /Cert Status: good/)
    const shown = chain[0]!.serialNumber
    assert.equal(chain[0]!.publicKey.asymmetricKeyType, name === 'an ECDSA client' ? 'ec' : 'rsa')
    assert.match(output, new RegExp(`Serial Number: ${shown}`))
  })

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  for (const sigalgs of ['ECDSA+SHA256', 'RSA-PSS+SHA256:RSA+SHA256'])
    test(`${version} with ${sigalgs}: each certificate has its own`, async (t) => {
      const { port } = await served(t, dual, greet)
      const { staple, kind } = await look(port, { minVersion: version, maxVersion: version, sigalgs })
      const [rsa, ecdsa] = dual
      assert.equal(kind, sigalgs.startsWith('ECDSA') ? 'ec' : 'rsa')
      assert.equal(staple, kind === 'ec' ? ecdsa!.staple : rsa!.staple)
    })

test('who does not ask gets none, and nobody gets one that is not there', { skip: missing('openssl') }, async (t) => {
  const { port } = await served(t, dual, greet)
  assert.equal((await look(port, { requestOCSP: false })).staple, undefined)
  const without = await served(t, [{ ...dual[1]!, staple: undefined }], greet)
  assert.equal((await look(without.port)).staple, undefined)
  const { output } = await sClient(without.port, ['-servername', 'a.test', '-status'])
  assert.match(output, /OCSP response: no response sent/)
})

async function changing(t: TestContext, version: 'TLSv1.2' | 'TLSv1.3') {
  const { port, update } = await served(t, dual, greet)
  const options = { minVersion: version, maxVersion: version } as const
  return { port, options, update }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  test(`another staple is shown from then on, and sessions live on: ${version}`, async (t) => {
    const { port, options, update } = await changing(t, version)
    const first = await look(port, options)
    assert.equal(first.staple, dual[1]!.staple)
    const other = responseFor(dual[1]!.chain, now - HOUR / 2)
    assert.notEqual(other, first.staple)
    update([dual[0]!, { ...dual[1]!, staple: other }])
    assert.equal((await look(port, options)).staple, other)
    const resumed = await look(port, { ...options, session: first.session! })
    assert.equal(resumed.isResumed, true)
    update([dual[0]!, { ...dual[1]!, staple: undefined }])
    assert.equal((await look(port, options)).staple, undefined)
  })
