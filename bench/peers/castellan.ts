import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { castellanVersion } from '../../src/version.ts'
import type { Command } from '../program.ts'
import type { Site } from '../site.ts'
import type { Peer, Presence, Setup } from './peer.ts'

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')

/** This working copy. */
export const castellan: Peer = {
  name: 'castellan',
  protocols: ['http/1.1', 'h2'],
  async find(): Promise<Presence> {
    return { type: 'present', version: `${castellanVersion}, Node ${process.versions.node}` }
  },
  async configure(setup: Setup): Promise<Command> {
    const config = join(setup.folder, 'castellan.yaml')
    await writeFile(config, configText(setup))
    return { program: process.execPath, args: [PROGRAM, 'run', config] }
  },
}

function configText({ port, originPort, sites }: Setup): string {
  return `storage: ./data
workers: 1
listen: { https: "127.0.0.1:${port}", http: [] }
timeouts: { drain: 1s }
limits: { connectionsPerAddress: 100000, requestsPerConnection: 1000000000 }
log: { level: warn, format: json, access: off }
sites:
${sites.map((site) => siteText(site, originPort)).join('')}`
}

function siteText({ name, certificate, key }: Site, originPort: number): string {
  return `  ${name}:
    upstream: http://127.0.0.1:${originPort}
    certificate: { files: [{ certificate: ${JSON.stringify(certificate)}, key: ${JSON.stringify(key)} }] }
`
}
