import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { castellanVersion } from '../../src/version.ts'
import type { Command } from '../program.ts'
import type { Site } from '../site.ts'
import { buildCastellan } from './castellan-build.ts'
import { ACCESS_LOG, MAX_CONNECTIONS, type Peer, type Presence, type Setup } from './peer.ts'

/** This working copy, built as its package is. */
export const castellan: Peer = {
  name: 'castellan',
  protocols: ['http/1.1', 'h2'],
  abilities: ['several-workers', 'access-log'],
  async find(): Promise<Presence> {
    return { type: 'present', version: `${castellanVersion}, Node ${process.versions.node}` }
  },
  async configure(setup: Setup): Promise<Command> {
    const config = join(setup.folder, 'castellan.yaml')
    await writeFile(config, configText(setup))
    return { program: process.execPath, args: [await buildCastellan(), 'run', config] }
  },
}

function configText({ port, originPort, sites, workers = 1, hasAccessLog = false }: Setup): string {
  const access = hasAccessLog ? `{ file: ./${ACCESS_LOG}, format: json }` : 'off'
  return `storage: ./data
workers: ${workers}
limits: { connectionsPerAddress: ${MAX_CONNECTIONS}, requestsPerConnection: 1000000000 }
listen: { https: "127.0.0.1:${port}", http: [] }
timeouts: { drain: 1s }
log: { level: warn, format: json, access: ${access} }
sites:
${sites.map((site) => siteText(site, originPort)).join('')}`
}

function siteText({ name, certificate, key }: Site, originPort: number): string {
  return `  ${name}:
    upstream: http://127.0.0.1:${originPort}
    certificate: { files: [{ certificate: ${JSON.stringify(certificate)}, key: ${JSON.stringify(key)} }] }
`
}
