import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { unpack } from '../../src/certificates/packed-certificate.ts'
import type { Expected } from '../../src/certificates/proof.ts'
import { takeProxyHeader } from '../../src/edge/proxy-protocol/reader.ts'
import { parseChain } from '../../src/pki/certificate.ts'
import { createSelfProof } from '../../src/supervisor/self-proof.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import { Machine } from '../certificates/machine.ts'
import { certificate, served, serveTls, type TestCertificate } from '../edge/tls/served.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { signedResponse } from '../pki/signed-response.ts'
import { StapledAuthority } from '../pki/stapled-authority.ts'

const HOUR = 3_600_000
const now = Date.now()
const times = { notBefore: now - HOUR, notAfter: now + 24 * HOUR }
const ca = await StapledAuthority.create(times)
const forever = new AbortController().signal
const take = ({ socket }: { socket: import('node:tls').TLSSocket }): void => void socket.on('error', () => {})

const expectedOf = ({ names, chain, staple }: TestCertificate, changes: Partial<Expected> = {}): Expected => ({
  names,
  chain: parseChain(chain),
  staple: () => staple,
  siblings: [],
  former: undefined,
  ...changes,
})

/** Waits pass at once, and with them the patience; connections have all the time that they need. */
function hurriedClock(): Clock & { waited: number } {
  const clock = {
    waited: 0,
    now: () => systemClock.now() + clock.waited,
    sleep: async (ms: number, signal?: AbortSignal) => {
      if (ms === 5000) return new FakeClock().sleep(ms, signal)
      clock.waited += 1000
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
  return clock
}

function proof(
  port: number,
  { proxyProtocolFrom = [] as string[], host = '127.0.0.1', clock = hurriedClock(), takesTls12 = () => true } = {},
) {
  return createSelfProof({ targets: [{ host, port }], proxyProtocolFrom, ready: async () => {}, takesTls12, clock })
}

const kinds = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072'] as const

for (const kind of kinds)
  test(`a certificate with a key of kind ${kind} is met among others, in both versions of TLS`, async (t) => {
    const all = await Promise.all(
      kinds.filter((each) => each !== 'rsa-3072').map((each) => certificate(each, 'a.test', '*.a.test')),
    )
    const [mine] =
      kind === 'rsa-3072' ? [await certificate(kind, 'a.test')] : all.filter(({ id }) => id.startsWith(kind))
    const { port, acceptor } = await served(t, kind === 'rsa-3072' ? [mine!] : all, take)
    assert.equal(await proof(port)(expectedOf(mine!), forever), 'proven')
    assert.ok(acceptor)
  })

test('a certificate that stands behind a cheaper one cannot be tried, and is not wrong', async (t) => {
  const [small, large] = [await certificate('rsa-2048', 'a.test'), await certificate('rsa-3072', 'a.test')]
  const { port } = await served(t, [small, large], take)
  const siblings = [parseChain(small.chain)[0].fingerprint]
  assert.equal(await proof(port)(expectedOf(large, { siblings }), forever), 'unproven')
})

async function rejects(t: TestContext, shown: TestCertificate, expected: Expected, message: RegExp) {
  const { port } = await served(t, [shown], take)
  await assert.rejects(proof(port)(expected, forever), { code: 'proof-failed', message })
}

test('another certificate, or the former one, is not taken for the new one, but for a while', async (t) => {
  const [former, fresh] = [await certificate('rsa-2048', 'a.test'), await certificate('rsa-2048', 'a.test')]
  const expected = expectedOf(fresh, { former: parseChain(former.chain)[0] })
  await rejects(
    t,
    former,
    expected,
    /verifies rsa-2048 alone and asks for a\.test by TLS 1\.3 meets the former one still\.$/,
  )
  await rejects(t, former, expectedOf(fresh), /meets another one, for DNS:a\.test\.$/)
  const { port, update } = await served(t, [former], take)
  const clock = hurriedClock()
  const { sleep } = clock
  clock.sleep = async (ms, signal) => {
    if (clock.waited === 3000) update([{ ...fresh, id: 'fresh' }])
    return sleep(ms, signal)
  }
  assert.equal(await proof(port, { clock })(expected, forever), 'proven')
})

test('a name without a certificate is refused, which is told with the reason', async (t) => {
  const [a, b] = [await certificate('ecdsa-p256', 'a.test'), await certificate('ecdsa-p256', 'b.test')]
  await rejects(t, a, expectedOf(b), /meets no certificate at all: .*unrecognized name/)
})

test('a chain that lacks its issuer, or has a stranger in it, is wrong', async (t) => {
  const { chain, privateKey } = await ca.issue({ names: ['a.test'], ...times })
  const whole = { id: 'a', names: ['a.test'], key: 'prime256v1', chain, privateKey, staple: undefined }
  const [leafPem] = chain.split(/(?<=-----END CERTIFICATE-----\n)/)
  await rejects(t, { ...whole, chain: leafPem! }, expectedOf(whole), /meets it without the certificate that signed it/)
  const other = await StapledAuthority.create(times, 'ecdsa-p384', 'Other CA')
  const stranger = { ...whole, chain: leafPem! + other.root.certificate.x509.toString() }
  await rejects(t, whole, expectedOf(stranger), /a chain with a certificate in it that does not belong there/)
})

test('a staple must be there if there is one, be its own, and not be there if there is none', async (t) => {
  const { chain, privateKey } = await ca.issue({ names: ['a.test'], keyKind: 'rsa-2048', ...times })
  const response = (thisUpdate: number): string => {
    const content = {
      certificate: parseChain(chain)[0],
      issuer: ca.root.certificate,
      thisUpdate,
      nextUpdate: now + HOUR,
    }
    return signedResponse({ ...content, signer: ca.root }).toString('base64')
  }
  const [one, other] = [response(now - HOUR), response(now - 2 * HOUR)]
  const snapshot = (staple: string | undefined) => ({
    id: 'a',
    names: ['a.test'],
    key: 'rsa-2048',
    chain,
    privateKey,
    staple,
  })
  const { port } = await served(t, [snapshot(one)], take)
  assert.equal(await proof(port)(expectedOf(snapshot(one)), forever), 'proven')
  await rejects(t, snapshot(undefined), expectedOf(snapshot(one)), /meets it without its staple/)
  await rejects(t, snapshot(one), expectedOf(snapshot(undefined)), /with a staple, although there is none/)
  await rejects(t, snapshot(one), expectedOf(snapshot(other)), /with the staple of another one/)
})

test('a staple that comes while the certificate is tried is waited for, and nothing is wrong', async (t) => {
  const { chain, privateKey } = await ca.issue({ names: ['a.test'], ...times })
  const [certificate] = parseChain(chain)
  const content = { certificate, issuer: ca.root.certificate, thisUpdate: now - HOUR, nextUpdate: now + HOUR }
  const fresh = signedResponse({ ...content, signer: ca.root }).toString('base64')
  const bare = { id: 'a', names: ['a.test'], key: 'prime256v1', chain, privateKey, staple: undefined }
  for (const [shown, expected] of [
    [bare, { ...bare, staple: fresh }],
    [{ ...bare, staple: fresh }, bare],
  ] as const) {
    const { port, update } = await served(t, [shown], take)
    let known = expected.staple
    const clock = hurriedClock()
    const { sleep } = clock
    clock.sleep = async (ms, signal) => {
      // The supervisor has it now, and so have the workers.
      if (clock.waited === 2000) known = fresh
      if (clock.waited === 3000) update([{ ...bare, id: 'fresh', staple: fresh }])
      return sleep(ms, signal)
    }
    const question = expectedOf(bare, { staple: () => known })
    assert.equal(await proof(port, { clock })(question, forever), 'proven')
  }
})

test('where nobody listens, nothing is proven and nothing is wrong', async (t) => {
  const { port, close } = await serveTls([], take)
  await close()
  const mine = await certificate('ecdsa-p256', 'a.test')
  assert.equal(await proof(port)(expectedOf(mine), forever), 'unproven')
  assert.equal(t.signal.aborted, false)
})

test('an address is asked for without a name, and a wildcard by a name that it covers', async (t) => {
  const address = await certificate('ecdsa-p256', '127.0.0.1')
  const wildcard = await certificate('ecdsa-p256', '*.b.test')
  const { port } = await served(t, [address, wildcard], take)
  // Wherever it would be reached otherwise, it is the address itself that is connected to.
  assert.equal(await proof(port, { host: '127.0.0.2' })(expectedOf(address), forever), 'proven')
  assert.equal(await proof(port)(expectedOf(wildcard), forever), 'proven')
})

test('behind the PROXY protocol our own connection begins with its header, if we are of those that must', async (t) => {
  const mine = await certificate('ecdsa-p256', 'a.test')
  const { acceptor } = await served(t, [mine], take)
  const told: string[] = []
  const behind = createServer((socket) => {
    socket.on('error', () => {})
    takeProxyHeader(socket, {
      timeoutMs: 5000,
      onHeader: (endpoints) => {
        told.push(endpoints?.clientAddress ?? 'itself')
        acceptor.accept(socket, endpoints ?? { clientAddress: '', clientPort: 0, localAddress: '', localPort: 0 })
      },
      onRefused: () => {},
    })
  })
  await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve))
  t.after(() => behind.close())
  const { port } = behind.address() as { port: number }
  assert.equal(await proof(port, { proxyProtocolFrom: ['127.0.0.0/8'] })(expectedOf(mine), forever), 'proven')
  assert.deepEqual(told, ['127.0.0.1', '127.0.0.1'])
  await assert.rejects(
    proof(port, { proxyProtocolFrom: ['10.0.0.0/8'] })(expectedOf(mine), forever),
    /no certificate at all/,
  )
})

test('the end of the program ends it', async (t) => {
  const [former, fresh] = [await certificate('rsa-2048', 'a.test'), await certificate('rsa-2048', 'a.test')]
  const { port } = await served(t, [former], take)
  const stop = new AbortController()
  const clock = hurriedClock()
  const { sleep } = clock
  clock.sleep = async (ms, signal) => {
    if (clock.waited === 2000) stop.abort(new Error('it stops'))
    return sleep(ms, signal)
  }
  await assert.rejects(proof(port, { clock })(expectedOf(fresh), stop.signal), /it stops/)
})

test('a swap that went wrong in the real listener brings the former certificate back, and a right one does not', async (t) => {
  const machine = new Machine()
  let isDeaf = false
  const { port, update } = await served(t, [], take)
  const tell = (): void => {
    const { held } = machine.certificates.state
    // As if the workers had not taken the new certificate, or had it for another name.
    if (!isDeaf) update(held.map(({ packed, ...shown }) => ({ ...shown, ...unpack(packed) })))
  }
  machine.prove = (expected, signal) => {
    tell()
    return proof(port)(expected, signal)
  }
  await machine.start({ keys: ['ecdsa-p256', 'rsa-2048'] })
  await machine.untilLogged('certificate-proven', 2)
  const before = machine.certificates.state.held
  isDeaf = true
  for (const { outcome } of await machine.certificates.renew('a.test')) {
    const ended = await outcome
    assert.match(ended.status === 'failed' ? ended.reason : '', /by TLS 1\.3 meets the former one still/)
  }
  assert.deepEqual(machine.certificates.state.held, before)
  isDeaf = false
  for (const { outcome } of await machine.certificates.renew('a.test')) assert.equal((await outcome).status, 'obtained')
  assert.equal(machine.log.of('certificate-proven').length, 4)
  await machine.certificates.stop()
})
