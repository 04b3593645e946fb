import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { createServer } from 'node:https'
import { createSecureContext, type SecureContext } from 'node:tls'
import httpProxy from 'http-proxy'
import type { Setup } from './peer.ts'

// The program behind the peer http-proxy: `node http-proxy-server.ts SETUP.json`.

const { port, originPort, sites } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Setup

const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${originPort}`,
  agent: new Agent({ keepAlive: true }),
  xfwd: true,
})
proxy.on('error', (_error, _request, response) => {
  if ('writeHead' in response && !response.headersSent) response.writeHead(502)
  response.end()
})

const contexts = new Map<string, SecureContext>(
  sites.map(({ name, certificate, key }) => [
    name,
    createSecureContext({ cert: readFileSync(certificate), key: readFileSync(key) }),
  ]),
)

/** As nginx keeps them; Node's own 5 s are over before all connections of the scenario `idle` are open. */
const KEEP_ALIVE_MS = 75_000

const server = createServer(
  {
    SNICallback: (name, done) => done(null, contexts.get(name)),
    minVersion: 'TLSv1.2',
    keepAliveTimeout: KEEP_ALIVE_MS,
  },
  (request, response) => proxy.web(request, response),
)
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head))
server.listen(port, '127.0.0.1')
