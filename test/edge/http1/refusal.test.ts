import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REFUSAL_CODES, refuse } from '../../../src/edge/http1/refusal.ts'

test('every rule has a status that RFC 9110 or 6585 gives a client, and names its section', () => {
  const statuses = new Set([400, 405, 408, 414, 417, 431, 501, 505])
  for (const code of REFUSAL_CODES) {
    const refusal = refuse(code)
    assert.equal(refusal.code, code)
    assert.ok(statuses.has(refusal.status), code)
    assert.match(refusal.message, /^(has|had|does|begins|asks|expects) .*\(RFC \d+ §[\d.]+\)$/, code)
  }
})
