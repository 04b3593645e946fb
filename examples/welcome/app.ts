import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

const FACTS = ['host', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'user-agent'] as const

/** A small application to put behind Castellan: it shows what an application gets to see of a request. */
export function createWelcomeApp(): Server {
  return createServer((request, response) => {
    if (request.url === '/healthz') return respond(response, 200, 'text/plain; charset=utf-8', 'ok\n')
    if (request.url !== '/') return respond(response, 404, 'text/plain; charset=utf-8', 'Nothing here; try /\n')
    respond(response, 200, 'text/html; charset=utf-8', welcomePage(request))
  })
}

function respond(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

function welcomePage({ method, url, httpVersion, headers }: IncomingMessage): string {
  const rows = [
    ['request', `${method} ${url} HTTP/${httpVersion}`],
    ...FACTS.map((name) => [name, String(headers[name] ?? '(not sent)')]),
  ]
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>It works</title>
<style>
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 44em; margin: 12vh auto; padding: 0 1.5em; color-scheme: light dark }
  th { text-align: left; font-weight: 600; padding-right: 1.5em; white-space: nowrap }
  td { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
</style>
<h1>It works</h1>
<p>Castellan serves this page over HTTPS, with a certificate that it got itself.</p>
<p>This is what the application behind it sees of your request:</p>
<table>
${rows.map(([name, value]) => `  <tr><th>${name}</th><td>${escapeHtml(value!)}</td></tr>`).join('\n')}
</table>
<p>To put an application of yours in its place, change the site's address in <code>config.example.yaml</code>.</p>
</html>
`
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
}
