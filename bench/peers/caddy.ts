import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BenchError } from '../bench-error.ts'
import { type Command, findTool, missingTool, type Tool } from '../program.ts'
import type { Site } from '../site.ts'
import { findInstalled, IDLE_UPSTREAM_CONNECTIONS, type Peer, type Setup } from './peer.ts'

const tool: Tool = { program: 'caddy', debianPackage: 'caddy' }

export const caddy: Peer = {
  name: 'caddy',
  protocols: ['http/1.1', 'h2'],
  abilities: ['several-workers'],
  find: () => findInstalled(tool, ['version'], /v?(\d\S*)/),
  async configure(setup: Setup): Promise<Command> {
    const program = findTool(tool)
    if (program === undefined) throw new BenchError('program-missing', missingTool(tool))
    const { folder, workers = 1 } = setup
    const config = join(folder, 'Caddyfile')
    await writeFile(config, configText(setup))
    // GOMAXPROCS: Go's word for workers. The others keep it from the files of whoever runs this.
    const env = { GOMAXPROCS: String(workers), HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
    return { program, args: ['run', '--adapter', 'caddyfile', '--config', config], env }
  },
}

function configText({ port, originPort, sites }: Setup): string {
  return `{
  admin off
  auto_https off
  skip_install_trust
  grace_period 1s
  log {
    level ERROR
  }
  servers {
    protocols h1 h2
  }
}
(origin) {
  reverse_proxy 127.0.0.1:${originPort} {
    transport http {
      keepalive_idle_conns_per_host ${IDLE_UPSTREAM_CONNECTIONS}
    }
  }
}
${sites.map((site) => siteText(site, port)).join('')}`
}

function siteText({ name, certificate, key }: Site, port: number): string {
  return `https://${name}:${port} {
  bind 127.0.0.1
  tls ${certificate} ${key}
  import origin
}
`
}
