import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createWelcomeApp } from '../../examples/welcome/app.ts'

test('the welcome page shows what the proxy says of the request, and escapes it', async (t) => {
  const app = createWelcomeApp()
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  t.after(() => app.close())
  const origin = `http://127.0.0.1:${(app.address() as AddressInfo).port}`
  const headers = { 'x-forwarded-for': '192.0.2.1', 'user-agent': '<script>alert("1")</script>' }
  const page = await (await fetch(origin, { headers })).text()
  assert.match(page, /<h1>It works<\/h1>/)
  assert.match(page, /192\.0\.2\.1/)
  assert.match(page, /&lt;script&gt;alert\(&quot;1&quot;\)/)
  assert.doesNotMatch(page, /<script/)
  assert.equal(await (await fetch(`${origin}/healthz`)).text(), 'ok\n')
  assert.equal((await fetch(`${origin}/other`)).status, 404)
})
