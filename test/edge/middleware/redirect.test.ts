import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHost } from '../../../src/edge/host.ts'
import { httpsOrigin } from '../../../src/edge/middleware/redirect.ts'

for (const [authority, localPort, httpsPort, origin] of [
  ['example.com', 80, 443, 'https://example.com'],
  ['example.com:80', 80, 443, 'https://example.com'],
  ['example.com', 80, 8443, 'https://example.com:8443'],
  ['localhost:8080', 8080, 8443, 'https://localhost:8443'],
  ['[::1]:8080', 8080, 8443, 'https://[::1]:8443'],
  // In a container: 80 and 443 outside are mapped to 8080 and 8443 inside.
  ['example.com', 8080, 8443, 'https://example.com'],
  ['example.com', undefined, undefined, 'https://example.com'],
] as const)
  test(`http://${authority} on port ${localPort} leads to ${origin} (HTTPS on ${httpsPort})`, () =>
    assert.equal(httpsOrigin(parseHost(authority)!, localPort, httpsPort), origin))
