import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { SiteSnapshot } from '../../../src/edge/snapshot.ts'
import type { ClientTls } from '../../../src/guards.ts'
import { type RunningEdge, runEdge } from '../adversary/running-edge.ts'
import { siteOf, startUpstream, upstreamOf } from '../serve.ts'
import { ClientAuthority, type Shown } from './client-authority.ts'
import { rootPem } from './served.ts'

const authority = await ClientAuthority.make('clients')
const stranger = await ClientAuthority.make('strangers')
const alice = await authority.issue('alice')
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

function asking(overrides: Partial<NonNullable<ClientTls['clientAuth']>> = {}): ClientTls {
  return { minVersion: '1.2', clientAuth: { trust: authority.pem, mode: 'require', sendsChain: false, ...overrides } }
}

/** `open.test` asks for nothing, `a.test` for what is said; both are on one certificate. */
async function scene(
  t: TestContext,
  tls: ClientTls,
  { overrides = {}, site: more = {} }: { overrides?: Parameters<typeof runEdge>[2]; site?: Partial<SiteSnapshot> } = {},
) {
  const seen: string[][] = []
  const upstream = await startUpstream((request, response) => {
    seen.push(request.rawHeaders)
    response.end('app')
  })
  const { address } = upstreamOf(upstream.address).targets[0]!
  const asks = siteOf(address, { tls, ...more })
  const edge = await runEdge(t, [asks, siteOf(address, { name: 'open.test', names: ['open.test'] })], overrides)
  t.after(() => upstream.close())
  return { edge, seen }
}

async function open(edge: RunningEdge, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const ca = await rootPem()
  const socket = connect({ port: edge.ports.https, host: '127.0.0.1', servername: 'a.test', ca, ...options })
  await once(socket, 'secureConnect')
  return socket
}

async function request(socket: TLSSocket, host = 'a.test', fields = ''): Promise<string> {
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text
  })
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${fields}\r\n`)
  await once(socket, 'close')
  return answer
}

const statusOf = (answer: string): number => Number(answer.slice(9, 12))

function certificateFields(fields: readonly string[]): string[] {
  return fields.filter((_, at) => /^client[-_.]cert/i.test(fields[at - (at % 2)]!))
}

const FORGED = 'Client-Cert: :Zm9yZ2Vk:\r\nclient_cert: f\r\nCLIENT.CERT-CHAIN: f\r\nClient-Cert-Chain: :Zg==:\r\n'

for (const version of VERSIONS) {
  const options = { minVersion: version, maxVersion: version }

  test(`${version}: a certificate that the authority has signed lets in, and the app is told of it (RFC 9440 §2.2)`, async (t) => {
    const { edge, seen } = await scene(t, asking())
    assert.equal(statusOf(await request(await open(edge, { ...options, ...alice }), 'a.test', FORGED)), 200)
    const expected = `:${new X509Certificate(alice.cert).raw.toString('base64')}:`
    assert.deepEqual(certificateFields(seen[0]!), ['Client-Cert', expected])
  })

  const bad: readonly [string, () => Promise<Shown | object>, string][] = [
    ['none', async () => ({}), 'client-certificate-missing'],
    ['one of another authority', () => stranger.issue('alice'), 'client-certificate-invalid'],
    ['one that has expired', () => authority.issue('alice', { days: -1 }), 'client-certificate-invalid'],
    ['that of a server', () => authority.issue('alice', { of: 'server' }), 'client-certificate-invalid'],
    [
      'one of an authority of the same name',
      async () => (await ClientAuthority.make('clients')).issue('alice'),
      'client-certificate-invalid',
    ],
    [
      'one that a client’s own certificate has signed',
      async () => {
        const forger = new ClientAuthority(
          'alice',
          alice.cert,
          (await import('node:crypto')).createPrivateKey(alice.key),
        )
        const forged = await forger.issue('root')
        return { ...forged, cert: forged.cert + alice.cert }
      },
      'client-certificate-invalid',
    ],
  ]
  for (const [what, make, why] of bad)
    test(`${version}: 403 with ${what}`, async (t) => {
      const { edge, seen } = await scene(t, asking())
      const answer = await request(await open(edge, { ...options, ...(await make()) }), 'a.test', FORGED)
      assert.deepEqual([statusOf(answer), seen.length, edge.accesses[0]?.why], [403, 0, why])
    })

  test(`${version}: a session of a site that asks for nothing resumes into none that asks, nor one of that into itself`, async (t) => {
    const { edge, seen } = await scene(t, asking())
    const sessionOf = async (servername: string, shown: object): Promise<Buffer | undefined> => {
      const socket = await open(edge, { ...options, ...shown, servername })
      let session: Buffer | undefined = version === 'TLSv1.2' ? socket.getSession() : undefined
      socket.on('session', (given: Buffer) => {
        session = given
      })
      await request(socket, servername)
      return session
    }
    const session = await sessionOf('open.test', {})
    assert.ok(session)
    const resumed = await open(edge, { ...options, servername: 'open.test', session })
    assert.equal(resumed.isSessionReused(), true)
    resumed.destroy()
    const socket = await open(edge, { ...options, session })
    assert.equal(socket.isSessionReused(), false)
    assert.equal(statusOf(await request(socket)), 403)
    const own = await sessionOf('a.test', alice)
    if (own !== undefined) {
      const again = await open(edge, { ...options, session: own })
      assert.equal(again.isSessionReused(), false)
      assert.equal(statusOf(await request(again)), 403)
    }
    assert.equal(seen.length, 2)
  })
}

test('a connection that was opened for another site does not get round it, whatever it has shown: 421', async (t) => {
  const { edge, seen } = await scene(t, asking())
  for (const shown of [{}, alice]) {
    const answer = await request(await open(edge, { ...shown, servername: 'open.test' }))
    assert.deepEqual([statusOf(answer), edge.accesses.at(-1)?.why], [421, 'tls-not-of-site'])
  }
  assert.equal(seen.length, 0)
})

test('in HTTP/2 too, where browsers use one connection for all names of a certificate (RFC 9113 §9.1.1)', async (t) => {
  const { edge, seen } = await scene(t, asking())
  const session = connectHttp2(`https://127.0.0.1:${edge.ports.https}`, {
    servername: 'open.test',
    ca: await rootPem(),
  })
  t.after(() => session.destroy())
  const statusFor = async (authority: string): Promise<unknown> => {
    const [headers] = await once(session.request({ ':authority': authority, ':path': '/' }).resume(), 'response')
    return headers[':status']
  }
  assert.deepEqual(
    [await statusFor('open.test'), await statusFor('a.test'), await statusFor('open.test')],
    [200, 421, 200],
  )
  assert.equal(seen.length, 2)
})

test('a connection of a site that asks may be used for one that does not, which is told of no certificate', async (t) => {
  const { edge, seen } = await scene(t, asking())
  assert.equal(statusOf(await request(await open(edge, alice), 'open.test', FORGED)), 200)
  assert.deepEqual(certificateFields(seen[0]!), [])
})

test('a client that names no server is asked what the fallback asks', async (t) => {
  const { edge, seen } = await scene(t, asking(), { overrides: { fallback: 'a.test' } })
  assert.equal(statusOf(await request(await open(edge, { servername: '', checkServerIdentity: () => undefined }))), 403)
  assert.equal(
    statusOf(await request(await open(edge, { ...alice, servername: '', checkServerIdentity: () => undefined }))),
    200,
  )
  assert.equal(seen.length, 1)
  const other = await scene(t, asking(), { overrides: { fallback: 'open.test' } })
  const options = { ...alice, servername: '', checkServerIdentity: () => undefined }
  assert.equal(statusOf(await request(await open(other.edge, options))), 421)
})

test('where it is only requested, the app is told of it or of nothing, and a bad one is still refused', async (t) => {
  const { edge, seen } = await scene(t, asking({ mode: 'request' }))
  assert.equal(statusOf(await request(await open(edge), 'a.test', FORGED)), 200)
  assert.equal(statusOf(await request(await open(edge, alice))), 200)
  assert.equal(statusOf(await request(await open(edge, await stranger.issue('x')))), 403)
  assert.deepEqual(
    seen.map((fields) => certificateFields(fields).length),
    [0, 2],
  )
})

test('the chain is told where the site asks for it (RFC 9440 §2.3), and an intermediate may be what is trusted', async (t) => {
  const middle = await ClientAuthority.make('middle', authority)
  const shown = await middle.issue('bob')
  const base64 = (pem: string): string => `:${new X509Certificate(pem).raw.toString('base64')}:`
  const { edge, seen } = await scene(t, asking({ sendsChain: true }))
  assert.equal(statusOf(await request(await open(edge, { ...shown, cert: shown.cert + middle.pem }))), 200)
  assert.deepEqual(certificateFields(seen[0]!).slice(1), [base64(shown.cert), 'Client-Cert-Chain', base64(middle.pem)])
  const pinned = await scene(t, asking({ trust: middle.pem }))
  assert.equal(statusOf(await request(await open(pinned.edge, shown))), 200)
  assert.equal(statusOf(await request(await open(pinned.edge, alice))), 403)
  const other = await ClientAuthority.make('middle', authority)
  const strayed = await scene(t, asking({ trust: middle.pem, sendsChain: true }))
  await request(await open(strayed.edge, { ...shown, cert: shown.cert + other.pem }))
  assert.deepEqual(
    strayed.seen.map((fields) => certificateFields(fields).length),
    [2],
  )
})

test('plain HTTP is sent to HTTPS, or refused where it would have been served', async (t) => {
  const get = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n'
  const redirected = await scene(t, asking(), { site: { redirectToHttps: true } })
  assert.equal(statusOf(await redirected.edge.tell('http', `${get}\r\n`)), 308)
  for (const mode of ['require', 'request'] as const) {
    const { edge, seen } = await scene(t, asking({ mode }), {
      site: { redirectToHttps: true },
      overrides: { trustedProxies: ['127.0.0.1'] },
    })
    const answer = await edge.tell('http', `${get}X-Forwarded-Proto: https\r\n${FORGED}\r\n`)
    assert.deepEqual([statusOf(answer), seen.length], [403, 0])
  }
})

test('not even a trusted proxy may say who a client is that is asked for it here', async (t) => {
  const { edge, seen } = await scene(t, asking({ mode: 'request' }), { overrides: { trustedProxies: ['127.0.0.1'] } })
  assert.equal(statusOf(await request(await open(edge), 'a.test', FORGED)), 200)
  assert.deepEqual(certificateFields(seen[0]!), [])
  assert.equal(statusOf(await request(await open(edge, { servername: 'open.test' }), 'open.test', FORGED)), 200)
  assert.deepEqual(certificateFields(seen[1]!), ['Client-Cert', ':Zm9yZ2Vk:', 'Client-Cert-Chain', ':Zg==:'])
})

test('a site of TLS 1.3 refuses clients of TLS 1.2 with the alert that says so, and connections of other sites', async (t) => {
  const { edge } = await scene(t, { minVersion: '1.3', clientAuth: undefined })
  await assert.rejects(open(edge, { maxVersion: 'TLSv1.2' }), /alert protocol version/)
  assert.equal(statusOf(await request(await open(edge))), 200)
  const old = { servername: 'open.test', maxVersion: 'TLSv1.2' } as const
  assert.equal(statusOf(await request(await open(edge, old), 'open.test')), 200)
  assert.equal(statusOf(await request(await open(edge, old))), 421)
})
