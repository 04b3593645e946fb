import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Site, Upstream } from '../../src/config/config.ts'
import { loadGood } from './config-folder.ts'

function upstreamOf(site: Site | undefined): Upstream {
  assert.ok(site?.action.type === 'proxy')
  return site.action.upstream
}

test('what is equal in sites is one thing, and what differs is not', async () => {
  const { config } = await loadGood(`
acceptTerms: true
sites:
  a.example: http://localhost:3000
  b.example: http://localhost:3000
  c.example: http://localhost:4000
  d.example: { upstream: { to: "http://localhost:3000", timeouts: { connect: 1s } } }
  e.example: { upstream: { to: "https://localhost:3000", tls: { verify: off } } }
  f.example: { redirectTo: "https://a.example" }
  g.example: { redirectTo: "https://b.example" }
`)
  const [a, b, c, d, e, f, g] = config.sites
  assert.equal(a!.action, b!.action)
  assert.equal(a!.keys, g!.keys)
  assert.notEqual(a!.action, c!.action)
  assert.equal(upstreamOf(a).timeouts, upstreamOf(c).timeouts)
  assert.equal(upstreamOf(a).tls, upstreamOf(d).tls)
  assert.equal(upstreamOf(d).timeouts.connectMs, 1_000)
  assert.deepEqual(upstreamOf(e).tls, { trust: undefined, serverName: undefined, verify: false })
  assert.deepEqual(
    [f, g].map((site) => site!.action),
    ['a', 'b'].map((name) => ({ type: 'redirect', to: `https://${name}.example`, status: 308 })),
  )
})
