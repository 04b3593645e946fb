import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../../src/config/config.ts'
import type { ListenAddress } from '../../src/config/listen-address.ts'
import { ListeningSet } from '../../src/supervisor/listening-set.ts'
import { systemClock } from '../../src/system/clock.ts'
import { freePort } from '../e2e/castellan.ts'

function listen(https: readonly ListenAddress[], http: readonly ListenAddress[]): Config['listen'] {
  return { https, http, socketMode: 0o660, proxyProtocolFrom: [], trustedProxies: [] }
}

const surroundings = { clock: systemClock, signal: new AbortController().signal }

test('sockets of addresses that stay are the same ones, whatever they serve; others are bound and closed', async (t) => {
  const [one, two, three] = [await freePort(), await freePort(), await freePort()].map(
    (port) => ({ type: 'tcp', host: '127.0.0.1', port }) as const,
  )
  const former = await ListeningSet.bind(listen([one!], [two!]), surroundings)
  const next = await ListeningSet.bind(listen([two!], [three!]), { ...surroundings, bound: former.sockets })
  t.after(() => next.closeBut({ sockets: [] }))
  assert.equal(next.sockets[0], former.sockets[1])
  assert.deepEqual(
    next.specs.map(({ fd, protocol }) => [fd, protocol]),
    [
      [4, 'https'],
      [5, 'http'],
    ],
  )
  former.closeBut(next)
  const again = await ListeningSet.bind(listen([one!], []), surroundings)
  again.closeBut({ sockets: [] })
})

test('an address on a port that is open on all addresses takes a restart, and closes nothing', async (t) => {
  const port = await freePort()
  const former = await ListeningSet.bind(listen([], [{ type: 'tcp', host: undefined, port }]), surroundings)
  t.after(() => former.closeBut({ sockets: [] }))
  const narrower = listen([], [{ type: 'tcp', host: '127.0.0.1', port }])
  await assert.rejects(ListeningSet.bind(narrower, { ...surroundings, bound: former.sockets }), {
    code: 'listen-overlaps',
    message: `Listening on 127.0.0.1:${port} in place of :${port} takes a restart, as both cannot be open at a time.`,
  })
})
