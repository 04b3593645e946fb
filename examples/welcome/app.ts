import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a proxy tells the application of the client's own request, which it does not see itself. */
const TOLD = ['host', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'user-agent'] as const

/** A small application to put behind Castellan: it shows what an application gets to see of a request. */
export function createWelcomeApp(): Server {
  return createServer((request, response) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const path = request.url?.split('?', 1)[0]
    if (isRead && path === '/healthz') return respond(response, 200, 'text/plain; charset=utf-8', 'ok\n')
    if (isRead && path === '/') return respond(response, 200, 'text/html; charset=utf-8', welcomePage(request))
    return respond(response, 404, 'text/plain; charset=utf-8', 'Nothing here; try /\n')
  })
}

/**
 * Serves the app at what `localhost` means to a client: 127.0.0.1 and, where the machine has it, ::1. Port 0 is any.
 * Throws the system's error (`EADDRINUSE`) if either cannot be had, and then serves on neither.
 */
export async function serveWelcomeApp(port: number): Promise<Server[]> {
  const ipv4 = await listen(port, '127.0.0.1')
  try {
    return [ipv4, await listen((ipv4.address() as AddressInfo).port, '::1')]
  } catch (error) {
    if (['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((error as NodeJS.ErrnoException).code ?? '')) return [ipv4]
    ipv4.close()
    throw error
  }
}

function listen(port: number, host: string): Promise<Server> {
  const server = createWelcomeApp()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve(server))
  })
}

function respond(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

function welcomePage({ method, url, httpVersion, headers }: IncomingMessage): string {
  const rows = [
    ['method', String(method)],
    ['path', String(url)],
    ['protocol', `HTTP/${httpVersion}`],
    ...TOLD.map((name) => [name, String(headers[name] ?? '(not sent)')]),
  ]
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>It works</title>
<style>
  :root { color-scheme: light dark }
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 44em; margin: 12vh auto; padding: 0 1.5em }
  h1 { line-height: 1.25 }
  th { text-align: left; font-weight: 600; padding-right: 1.5em; white-space: nowrap; vertical-align: top }
  td { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
</style>
<h1>It works: Castellan is serving this page over HTTPS</h1>
<p>This is what the application behind it sees of your request:</p>
<table>
${rows.map(([name, value]) => `  <tr><th>${name}</th><td>${escapeHtml(value!)}</td></tr>`).join('\n')}
</table>
<p>To see an application of yours here instead, name its address in <code>config.example.yaml</code> and run
<code>npx castellan run config.example.yaml</code>.</p>
</html>
`
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
}
