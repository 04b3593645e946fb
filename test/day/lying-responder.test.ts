import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { readOcspResponse } from '../../src/pki/ocsp-response.ts'
import { type ResponseContent, signedResponse, statusResponse } from '../pki/signed-response.ts'
import { type Keyed, StapledAuthority } from '../pki/stapled-authority.ts'
import { Premises } from './premises.ts'
import { type Answer, sendResponse } from './responder.ts'
import { type Seen, visit, visitors } from './visitors.ts'

// The program against a responder that says anything but the truth, as clients see it: what is false is stapled to nothing,
// what is true is served to its end, and the operator hears of each certificate once.

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NAME = 'a.test'

let premises: Premises
let stranger: Keyed

before(async () => {
  premises = await Premises.open({ names: [NAME], lifetimeMs: 90 * DAY, stapleLifetimeMs: HOUR })
  const now = premises.clock.now()
  const times = { notBefore: now - DAY, notAfter: now + 90 * DAY }
  stranger = (await StapledAuthority.create(times, 'ecdsa-p256', 'Stranger')).root
  await premises.untilLogged('staple-received', 2)
})

after(() => premises?.close())

/** Says something else than it should, in a response that is well made. */
const says =
  (lie: (content: ResponseContent) => Partial<ResponseContent>): Answer =>
  (response, content) =>
    sendResponse(response, signedResponse({ ...content, ...lie(content) }))

const sends =
  (body: () => Buffer, type?: string): Answer =>
  (response) =>
    sendResponse(response, body(), type)

const shifted = (ms: number) =>
  says(({ thisUpdate, nextUpdate }) => ({ thisUpdate: thisUpdate + ms, nextUpdate: nextUpdate! + ms }))

function pour(response: ServerResponse): void {
  if (!response.destroyed) response.write(Buffer.alloc(16_384), () => setImmediate(pour, response))
}

const lies: Readonly<Record<string, Answer>> = {
  'what has expired': shifted(-DAY),
  'what is from the future': shifted(DAY),
  'what a stranger has signed': says(() => ({ signer: stranger })),
  'what a stranger has signed in the name of the CA': says(({ signer }) => ({
    signer: { ...signer, privateKey: stranger.privateKey },
  })),
  'that it was revoked, signed by a stranger': says(({ thisUpdate }) => ({
    status: { revokedAt: thisUpdate - DAY, reason: 1 },
    signer: stranger,
  })),
  'that it was revoked, by a stranger in the name of the CA': says(({ signer, thisUpdate }) => ({
    status: { revokedAt: thisUpdate - DAY },
    signer: { ...signer, privateKey: stranger.privateKey },
  })),
  'the truth about another certificate': says(({ certificate }) => ({
    certificate: premises.ca.certificates.all.find((each) => each.certificate !== certificate)!.certificate,
  })),
  'the truth, with a bit of it changed': (response, content) => {
    const der = signedResponse(content)
    der[der.length - 1]! ^= 1
    sendResponse(response, der)
  },
  garbage: sends(() => randomBytes(500)),
  nothing: sends(() => Buffer.alloc(0)),
  'a web page': sends(() => Buffer.from('<h1>Please log in to this network</h1>'), 'text/html'),
  'that one should try later': sends(() => statusResponse(3)),
  'the status 500': (response, content) => {
    response.writeHead(500).end(signedResponse(content))
  },
  'the status 404 with the truth in it': (response, content) => {
    response.writeHead(404).end(signedResponse(content))
  },
  'that one should ask it again, somewhere else': (response) => {
    response.writeHead(307, { Location: premises.responder.url }).end()
  },
  'more and more': (response) => pour(response.writeHead(200)),
  'nothing for ever': () => {},
  'half of it, and then nothing for ever': (response, content) => {
    const der = signedResponse(content)
    response.writeHead(200, { 'Content-Length': der.length }).write(der.subarray(0, der.length / 2))
  },
}

/** One that can verify ECDSA alone, in TLS 1.3, and one that can RSA alone, in TLS 1.2. */
const clients = [visitors[0]!, visitors[3]!]

/** How far a worker may be behind the clock, which leaps. */
const LAG = 2 * MINUTE

const shown = (client: (typeof clients)[number]): Promise<Seen> => visit(premises.place.httpsPort, NAME, client)

/** The truth is heard of both certificates. Gives what clients are shown then, and until when that is good. */
async function freshStaples(): Promise<{ readonly staple: Buffer; readonly until: number }[]> {
  const { clock, log, responder } = premises
  const since = log.entries.length
  const renewed = (kind: KeyKind): boolean =>
    log.entries.slice(since).some(({ event, facts }) => event === 'staple-renewed' && facts.keyKind === kind)
  responder.answer = undefined
  await premises.until(() => clients.every(({ keyKind }) => renewed(keyKind)))
  return Promise.all(
    clients.map(async (client) => {
      const { certificate, staple } = await shown(client)
      const { until } = readOcspResponse(staple!, {
        certificate,
        issuer: responder.signer.certificate,
        now: clock.now(),
      })
      return { staple: staple!, until }
    }),
  )
}

for (const [what, lie] of Object.entries(lies))
  test(`the responder says ${what}`, async () => {
    const { clock, log, responder } = premises
    const former = await freshStaples()
    const [since, asked] = [log.entries.length, responder.asked.length]
    responder.answer = lie
    clock.isHurried = what.endsWith('for ever')
    const end = Math.max(...former.map(({ until }) => until)) + 2 * LAG
    let without = 0
    while (clock.now() < end) {
      for (const [index, client] of clients.entries()) {
        const { staple, until } = former[index]!
        const from = clock.now()
        const seen = (await shown(client)).staple
        if (seen === undefined) assert.ok(clock.now() >= until, 'the former one stays to its end')
        else assert.ok(seen.equals(staple) && from < until + LAG, 'and no longer, and nothing else is stapled')
        if (seen === undefined) without++
      }
      await premises.live(2 * MINUTE)
    }
    clock.isHurried = false
    assert.ok(without > 0)
    assert.ok(responder.asked.length > asked + 4, 'it was asked again and again')
    const told = log.entries.slice(since).filter(({ level }) => level === 'warn' || level === 'error')
    const expected = clients.flatMap(({ keyKind }) => [`staple-ending ${keyKind}`, `staple-over ${keyKind}`])
    assert.deepEqual(told.map(({ event, facts }) => `${event} ${facts.keyKind}`).toSorted(), expected.toSorted())
  })

test('the truth under a wrong content type is the truth: the signature says so', async () => {
  const { log, responder } = premises
  await freshStaples()
  const since = log.entries.length
  responder.answer = (response, content) => sendResponse(response, signedResponse(content), 'text/plain')
  await premises.untilLogged('staple-renewed', 2, since)
  for (const client of clients) assert.ok((await shown(client)).staple)
})
