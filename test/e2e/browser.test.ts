import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { missing } from '../programs.ts'
import { Castellan, makePlace } from './castellan.ts'
import { Chromium } from './peers/chromium.ts'
import { PICTURES, startVisitedApp, TEXT } from './peers/visited-app.ts'

// A browser visits the running program, whose certificate is of its own CA.

const skip = missing('chromium') || missing('certutil')

async function startSite(t: TestContext) {
  const app = await startVisitedApp(t)
  const place = await makePlace()
  await place.configure(`sites: { localhost: { upstream: "${app}", aliases: [app.localhost] } }`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const root = join(place.folder, 'data/issuers/internal/root.crt')
  return { castellan, place, root, origin: `https://localhost:${place.httpsPort}` }
}

test('a browser that does not trust the CA refuses the page', { skip }, async (t) => {
  const { origin } = await startSite(t)
  const browser = await Chromium.start(t)
  assert.equal(await browser.visit(`${origin}/`), 'net::ERR_CERT_AUTHORITY_INVALID')
})

test('a browser that trusts the CA is led to the page, and gets all of it over HTTP/2', { skip }, async (t) => {
  const { place, root, origin } = await startSite(t)
  const browser = await Chromium.start(t, { trust: root })
  assert.equal(await browser.visit(`http://localhost:${place.httpPort}/`), undefined)
  assert.equal(await browser.evaluate('location.href'), `${origin}/`)
  assert.equal(await browser.evaluate('window.isRun && isSecureContext'), true)
  const widths = await browser.evaluate<number[]>('[...document.images].map(({ naturalWidth }) => naturalWidth)')
  assert.deepEqual(widths, Array(PICTURES).fill(7))
  const ours = browser.responses.filter(({ url }) => url.startsWith(origin))
  assert.ok(ours.length >= PICTURES + 3)
  for (const { url, status, protocol, securityDetails } of ours) {
    assert.deepEqual([status, protocol, securityDetails?.protocol], [200, 'h2', 'TLS 1.3'], url)
    assert.match(securityDetails!.issuer, /^Castellan internal CA/)
    assert.equal(securityDetails!.keyExchangeGroup, 'X25519MLKEM768')
  }
  assert.equal(new Set(ours.map(({ connectionId }) => connectionId)).size, 1)
})

test('a browser posts forms, uploads, reads what is compressed, and asks whether it has changed', {
  skip,
}, async (t) => {
  const { root, origin, place } = await startSite(t)
  const browser = await Chromium.start(t, { trust: root })
  await browser.visit(`${origin}/`)
  assert.equal(await browser.evaluate(`fetch('/text').then((answer) => answer.text())`), TEXT)
  const content = Buffer.alloc(5_000_000, 'castellan')
  const sum = createHash('sha256').update(content).digest('hex')
  const bytes = `Uint8Array.from({ length: ${content.length} }, (_, at) => 'castellan'.charCodeAt(at % 9))`
  const upload = (init: string): string =>
    `fetch('/upload', { method: 'POST', ...${init} }).then((answer) => answer.text())`
  assert.equal(await browser.evaluate(upload(`{ body: ${bytes} }`)), `${content.length} ${sum} ${content.length}`)
  // A stream, which browsers send over HTTP/2 only.
  const stream = `{ body: new Blob([${bytes}]).stream(), duplex: 'half' }`
  assert.equal(await browser.evaluate(upload(stream)), `${content.length} ${sum} chunked`)
  const cached = `fetch('/cached').then(async (answer) => answer.status + await answer.text())`
  assert.deepEqual([await browser.evaluate(cached), await browser.evaluate(cached)], ['200kept', '200kept'])
  const alias = `https://app.localhost:${place.httpsPort}`
  assert.equal(
    await browser.evaluate(`fetch('${alias}/shared').then((answer) => answer.text())`),
    `app.localhost:${place.httpsPort}`,
  )
  await browser.follow(`document.querySelector('button').click()`)
  assert.equal(await browser.evaluate('document.body.innerText'), 'word=b%C3%BCro+%26+co')
  assert.deepEqual(
    browser.responses.filter(({ protocol, status }) => protocol !== 'h2' || status >= 400).map(({ url }) => url),
    [],
  )
})

test('a browser hears events, comes again for more, and speaks over a WebSocket within HTTP/2', { skip }, async (t) => {
  const { root, origin, castellan } = await startSite(t)
  const browser = await Chromium.start(t, { trust: root })
  await browser.visit(`${origin}/`)
  const events = await browser.evaluate<string[]>(`new Promise((resolve) => {
    const source = new EventSource('/events')
    const heard = []
    source.onmessage = ({ data }) => {
      heard.push(data)
      if (heard.length < 3) return
      source.close()
      resolve(heard)
    }
  })`)
  assert.deepEqual(events, ['event 1', 'event 2', 'event 3'])
  const heard = await browser.evaluate<(string | number)[]>(`new Promise((resolve, reject) => {
    const socket = new WebSocket('wss://' + location.host + '/socket')
    const heard = []
    socket.binaryType = 'arraybuffer'
    socket.onerror = reject
    socket.onclose = ({ code }) => resolve([...heard, code])
    socket.onmessage = ({ data }) => {
      heard.push(typeof data === 'string' ? data : data.byteLength)
      if (heard.length === 1) socket.send('ping')
      if (heard.length === 2) socket.send(new Uint8Array(1_000_000))
      if (heard.length === 3) socket.close(4000)
    }
  })`)
  assert.deepEqual(heard, [`hello ${origin}`, 'ping', 1_000_000, 4000])
  const [entry] = await castellan.until((line) => line.event === 'request' && line.target === '/socket')
  assert.deepEqual([entry!.version, entry!.status], ['2', 101])
})
