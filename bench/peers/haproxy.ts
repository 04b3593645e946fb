import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BenchError } from '../bench-error.ts'
import { type Command, findTool, missingTool, type Tool } from '../program.ts'
import { findInstalled, MAX_CONNECTIONS, type Peer, type Setup } from './peer.ts'

const tool: Tool = { program: 'haproxy', debianPackage: 'haproxy' }

export const haproxy: Peer = {
  name: 'haproxy',
  protocols: ['http/1.1', 'h2'],
  abilities: ['several-workers'],
  find: () => findInstalled(tool, ['-v'], /version (\S+)/),
  async configure(setup: Setup): Promise<Command> {
    const program = findTool(tool)
    if (program === undefined) throw new BenchError('program-missing', missingTool(tool))
    const config = join(setup.folder, 'haproxy.cfg')
    await writeFile(config, configText(setup))
    return { program, args: ['-db', '-f', config] }
  },
}

function configText({ port, originPort, sites, workers = 1 }: Setup): string {
  return `global
  nbthread ${workers}
  maxconn ${MAX_CONNECTIONS}
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 60s
  timeout tunnel 1h
  http-reuse always
  option forwardfor
frontend https
  bind 127.0.0.1:${port} ssl crt ${dirname(sites[0]!.bundle)} ssl-min-ver TLSv1.2 alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}
`
}
