import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { WebSocketServer } from 'ws'

/** How many pictures the page has. */
export const PICTURES = 30
/** What `/text` is, which comes compressed by the application. */
export const TEXT = 'nothing new under the sun. '.repeat(20_000)

const PAGE = `<!doctype html><meta charset="utf-8"><title>A page</title><link rel="stylesheet" href="/style.css">
${Array.from({ length: PICTURES }, (_, index) => `<img src="/picture/${index}.svg" alt="">`).join('')}
<form method="post" action="/form"><input name="word" value="büro &amp; co"><button>Send</button></form>
<script type="module" src="/script.js"></script>`

const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"><rect width="7" height="7"/></svg>'

/** An application with what pages are made of: parts, forms, uploads, events, and a WebSocket that echoes. */
export async function startVisitedApp(t: TestContext): Promise<string> {
  const server = createServer((request, response) => void answer(request, response))
  const webSockets = new WebSocketServer({ server })
  webSockets.on('connection', (socket, request) => {
    socket.send(`hello ${request.headers.origin}`)
    socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const client of webSockets.clients) client.terminate()
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '/'
  const type = (value: string): ServerResponse => response.setHeader('Content-Type', value)
  if (path === '/') return void type('text/html').end(PAGE)
  if (path === '/style.css') return void type('text/css').end('img { width: 7px }')
  if (path === '/script.js') return void type('text/javascript').end('window.isRun = true')
  if (path.startsWith('/picture/') || path === '/favicon.ico') return void type('image/svg+xml').end(PICTURE)
  if (path === '/text') return void type('text/plain').setHeader('Content-Encoding', 'gzip').end(gzipSync(TEXT))
  if (path === '/events') return sendEvents(request, type('text/event-stream'))
  if (path === '/form') return void type('text/plain').end(String(await buffer(request)))
  if (path === '/upload') return void type('text/plain').end(await summary(request))
  if (path === '/shared') return void response.setHeader('Access-Control-Allow-Origin', '*').end(request.headers.host)
  if (path === '/cached') return sendCached(request, response)
  response.writeHead(404).end()
}

/** Its length and sum, and how its framing announced it. */
async function summary(request: IncomingMessage): Promise<string> {
  const content = await buffer(request)
  const framing = request.headers['content-length'] ?? request.headers['transfer-encoding']
  return `${content.length} ${createHash('sha256').update(content).digest('hex')} ${framing}`
}

/** One event, and then the end: whoever comes again says which it had last. */
function sendEvents(request: IncomingMessage, response: ServerResponse): void {
  const last = Number(request.headers['last-event-id'] ?? 0)
  response.write(`retry: 10\nid: ${last + 1}\ndata: event ${last + 1}\n\n`)
  if (last < 2) response.end()
}

function sendCached(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('ETag', '"one"').setHeader('Cache-Control', 'no-cache')
  if (request.headers['if-none-match'] === '"one"') response.writeHead(304).end()
  else response.end('kept')
}
