import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { castellanVersion } from '../../src/version.ts'
import type { Command } from '../program.ts'
import { numberedNames, type Site } from '../site.ts'
import { buildCastellan } from './castellan-build.ts'
import { storeCertificates } from './castellan-storage.ts'
import { ACCESS_LOG, MAX_CONNECTIONS, type Peer, type Presence, type Setup } from './peer.ts'

/** This working copy, built as its package is. */
export const castellan: Peer = {
  name: 'castellan',
  protocols: ['http/1.1', 'h2'],
  abilities: ['several-workers', 'access-log', 'storage'],
  async find(): Promise<Presence> {
    return { type: 'present', version: `${castellanVersion}, Node ${process.versions.node}` }
  },
  async configure(setup: Setup): Promise<Command> {
    const config = join(setup.folder, 'castellan.yaml')
    await writeFile(config, configText(setup))
    if (setup.storedSites !== undefined) await storeCertificates(join(setup.folder, 'data'), storedNames(setup))
    const { script, node } = await buildCastellan()
    return { program: node, args: [script, 'run', config] }
  },
}

function configText(setup: Setup): string {
  const { port, originPort, sites, workers = 1, hasAccessLog = false } = setup
  const access = hasAccessLog ? `{ file: ./${ACCESS_LOG}, format: json }` : 'off'
  return `storage: ./data
workers: ${workers}
limits: { connectionsPerAddress: ${MAX_CONNECTIONS}, requestsPerConnection: 1000000000 }
listen: { https: "127.0.0.1:${port}", http: [] }
timeouts: { drain: 1s }
log: { level: warn, format: json, access: ${access} }
defaults: { certificate: { keys: [ecdsa-p256] } }
sites:
${sites.map((site) => siteText(site, originPort)).join('')}${storedNames(setup)
  .map((name) => `  ${name}: http://127.0.0.1:${originPort}\n`)
  .join('')}`
}

function storedNames({ storedSites = 0 }: Setup): string[] {
  return numberedNames(storedSites)
}

function siteText({ name, certificate, key }: Site, originPort: number): string {
  return `  ${name}:
    upstream: http://127.0.0.1:${originPort}
    certificate: { files: [{ certificate: ${JSON.stringify(certificate)}, key: ${JSON.stringify(key)} }] }
`
}
