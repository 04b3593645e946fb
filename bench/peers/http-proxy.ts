import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from '../program.ts'
import type { Peer, Presence, Setup } from './peer.ts'

const PROGRAM = join(import.meta.dirname, 'http-proxy-server.ts')
const PACKAGE = join(import.meta.dirname, '../../node_modules/http-proxy/package.json')

/** What one would build in Node without building much: node:https with the package http-proxy. */
export const httpProxy: Peer = {
  name: 'http-proxy',
  protocols: ['http/1.1'],
  abilities: [],
  async find(): Promise<Presence> {
    try {
      const { version } = JSON.parse(await readFile(PACKAGE, 'utf8')) as { version: string }
      return { type: 'present', version: `${version}, Node ${process.versions.node}` }
    } catch {
      return { type: 'absent', reason: 'needs the package http-proxy; npm ci' }
    }
  },
  async configure(setup: Setup): Promise<Command> {
    const config = join(setup.folder, 'setup.json')
    await writeFile(config, JSON.stringify(setup))
    return { program: process.execPath, args: ['--disable-warning=DEP0060', PROGRAM, config] }
  },
}
