import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import type { TlsConnection } from '../../../src/edge/tls/acceptor.ts'
import { certificate, rootPem, type ServedTls, served, ticketSecret } from './served.ts'

const ca = await rootPem()
const certificates = await Promise.all([
  certificate('ecdsa-p256', 'a.test'),
  certificate('rsa-2048', 'a.test'),
  certificate('ecdsa-p256', 'b.test'),
])

/** Says the name of the certificate, so that the client has something to read while its ticket comes. */
function greet({ socket, certificate: { id } }: TlsConnection): void {
  socket.on('error', () => {})
  socket.write(id)
  socket.resume()
  socket.once('end', () => socket.end())
}

type Visit = { readonly resumed: boolean; readonly greeting: string; readonly session: Buffer }

/** One connection, and the session that it could be resumed with. */
async function visit({ port }: ServedTls, session?: Buffer, options: ConnectionOptions = {}): Promise<Visit> {
  const socket = connect({ port, host: '127.0.0.1', ca, servername: 'a.test', ...(session && { session }), ...options })
  let latest = session ?? Buffer.alloc(0)
  socket.on('session', (given: Buffer) => {
    latest = given
  })
  const [greeting] = await once(socket, 'data')
  await new Promise((resolve) => setTimeout(resolve, 20))
  const resumed = socket.isSessionReused()
  socket.end()
  await once(socket, 'close')
  return { resumed, greeting: String(greeting), session: latest }
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const

for (const maxVersion of versions) {
  test(`${maxVersion}: a client resumes with another worker that shares the secret`, async (t) => {
    const ticketSecrets = [ticketSecret()] as const
    const [one, other] = [
      await served(t, certificates, greet, { ticketSecrets }),
      await served(t, certificates, greet, { ticketSecrets }),
    ]
    const first = await visit(one, undefined, { maxVersion })
    assert.equal(first.resumed, false)
    const second = await visit(other, first.session, { maxVersion })
    assert.equal(second.resumed, true)
    assert.equal(second.greeting, 'ecdsa-p256 a.test')
  })

  test(`${maxVersion}: a ticket is taken after one rotation and not after two, and its session goes on meanwhile`, async (t) => {
    const [oldest, middle, newest] = [ticketSecret(), ticketSecret(), ticketSecret()]
    const place = await served(t, certificates, greet, { ticketSecrets: [oldest] })
    const first = await visit(place, undefined, { maxVersion })
    place.acceptor.useTicketSecrets([middle, oldest])
    assert.equal((await visit(place, first.session, { maxVersion })).resumed, true)
    const fresh = await visit(place, undefined, { maxVersion })
    place.acceptor.useTicketSecrets([newest, middle])
    assert.equal((await visit(place, first.session, { maxVersion })).resumed, false)
    assert.equal((await visit(place, fresh.session, { maxVersion })).resumed, true)
  })

  test(`${maxVersion}: a ticket from one site resumes into no other`, async (t) => {
    const place = await served(t, certificates, greet)
    const { session } = await visit(place, undefined, { maxVersion })
    const elsewhere = await visit(place, session, { maxVersion, servername: 'b.test' })
    assert.deepEqual([elsewhere.resumed, elsewhere.greeting], [false, 'ecdsa-p256 b.test'])
  })

  test(`${maxVersion}: a certificate that was renewed ends no session`, async (t) => {
    const place = await served(t, certificates, greet)
    const { session } = await visit(place, undefined, { maxVersion })
    const renewed = await certificate('ecdsa-p256', 'a.test')
    place.update([{ ...renewed, id: 'renewed' }, ...certificates.slice(1)])
    const again = await visit(place, session, { maxVersion })
    assert.deepEqual([again.resumed, again.greeting], [true, 'renewed'])
  })
}

test('a ticket that is damaged, or none of ours, leads to a full handshake', async (t) => {
  const place = await served(t, certificates, greet)
  const strange = await served(t, certificates, greet)
  for (const maxVersion of versions) {
    const { session } = await visit(strange, undefined, { maxVersion })
    assert.equal((await visit(place, session, { maxVersion })).resumed, false)
  }
})
