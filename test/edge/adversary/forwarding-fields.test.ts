import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { siteOf } from '../serve.ts'
import { askHttp2, connectHttp2 } from './http2-client.ts'
import { runEdge, WAYS } from './running-edge.ts'
import { Witness } from './witness.ts'

// What a client claims of itself in the words of a proxy, through a running edge that trusts nobody.

const witness = await new Witness().listen({ after })
const edge = await runEdge({ after }, [siteOf(witness.address)])
const session = await connectHttp2({ after }, edge)

const CLAIMS = [
  ...['X-Forwarded-For', 'x-forwarded-for', 'X_Forwarded_For', 'X.Forwarded.For', 'X-Forwarded_For', 'x_forwarded-for'],
  ...['Forwarded', 'FORWARDED', 'X-Real-IP', 'X_Real_IP', 'x-real.ip', 'X-Forwarded-Proto', 'X-Forwarded-Host'],
  ...['X-Forwarded-Port', 'X-Forwarded-Server', 'X-Forwarded-Prefix', 'X-Forwarded-Ssl', 'X_Forwarded_Proto'],
  ...['X-Forwarded-Uri', 'x-forwarded-', 'X.Forwarded_Client-Cert'],
  ...['X+Forwarded~For', 'X!Real!IP', "x'forwarded'proto", 'Client+Cert', 'client|cert|chain', 'X*Forwarded*Ssl'],
]

function ours(scheme: string): string[] {
  return ['X-Forwarded-For', '127.0.0.1', 'X-Forwarded-Proto', scheme, 'X-Forwarded-Host', 'a.test']
}

for (const claim of CLAIMS)
  test(`a client's ${claim} is dropped, and ours comes last (CVE-2026-54763, CVE-2026-88011)`, async () => {
    for (const way of WAYS) {
      await edge.tell(way, `GET / HTTP/1.1\r\nHost: a.test\r\n${claim}: 6.6.6.6\r\nConnection: close\r\n\r\n`)
      const [seen] = witness.testimony()
      assert.deepEqual(seen?.fields, ['Host', 'a.test', ...ours(way), 'Connection', 'keep-alive'])
    }
    await askHttp2(session, { ':path': '/', [claim.toLowerCase()]: '6.6.6.6' })
    const [seen] = witness.testimony()
    assert.deepEqual(seen?.fields, ['Host', 'a.test', ...ours('https'), 'Connection', 'keep-alive'])
  })

for (const nominated of [
  ...['x-forwarded-for', 'X-FORWARDED-FOR', 'X-Forwarded-Proto, x-forwarded-host', 'Host', 'Content-Length'],
  ...['host, content-length, transfer-encoding', 'X-Forwarded-For,,\t,x-forwarded-proto', 'close, close, connection'],
])
  test(`Connection: ${nominated} takes nothing of ours away (CVE-2024-45410, CVE-2026-29054)`, async () => {
    for (const way of WAYS) {
      const fields = `Connection: close\r\nConnection: ${nominated}\r\nX-Forwarded-For: 6.6.6.6\r\nContent-Length: 5\r\n`
      await edge.tell(way, `POST / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\nhello`)
      const [seen] = witness.testimony()
      const length = ['Content-Length', '5', 'Connection', 'keep-alive']
      assert.deepEqual(seen?.fields, ['Host', 'a.test', ...ours(way), ...length])
      assert.equal(seen.content, 'hello')
    }
  })

test('what a client nominates goes, whatever its case and however the list is written (RFC 9110 §7.6.1)', async () => {
  for (const list of ['x-a', 'X-A', ' , x-a ,', 'keep-alive,x-a', '\tX-a\t']) {
    await edge.tell('http', `GET / HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\nX-B: 2\r\nConnection: close, ${list}\r\n\r\n`)
    const [seen] = witness.testimony()
    assert.deepEqual(seen?.fields.slice(2, 4), ['X-B', '2'], list)
  }
})

test('a chain is read from the right, and strictly, where the client is a trusted proxy', async (t) => {
  const trusting = await runEdge(t, [siteOf(witness.address)], { trustedProxies: ['127.0.0.0/8', '192.0.2.0/24'] })
  for (const [chain, told] of [
    ['203.0.113.1', '203.0.113.1, 127.0.0.1'],
    ['6.6.6.6, 203.0.113.1', '203.0.113.1, 127.0.0.1'],
    ['6.6.6.6, 203.0.113.1, 192.0.2.7', '203.0.113.1, 192.0.2.7, 127.0.0.1'],
    ['203.0.113.1, unknown, 192.0.2.7', '192.0.2.7, 127.0.0.1'],
    ['203.0.113.1, 192.0.2.7, 6.6.6.6 ', '6.6.6.6, 127.0.0.1'],
    ['203.0.113.1,', '127.0.0.1'],
    ['203.0.113.999', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['203.0.113.1;x', '127.0.0.1'],
    ['[2001:db8::1]:443', '2001:db8::1, 127.0.0.1'],
  ] as const) {
    const fields = `X-Forwarded-For: ${chain}\r\nX_Forwarded_For: 6.6.6.6\r\nConnection: close\r\n`
    await trusting.tell('http', `GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`)
    const [seen] = witness.testimony()
    assert.deepEqual(seen?.fields.slice(2, 4), ['X-Forwarded-For', told], chain)
    assert.ok(!seen.fields.includes('X_Forwarded_For'))
  }
})
