import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MEDIUM_BYTES, TRANSFER_BYTES } from '../load/transfer.ts'
import { NO_LOG, writeNginxConfig } from '../peers/nginx.ts'
import { type StartedOrigin, startOn } from './serving.ts'

/** @param program the path of nginx. */
export async function startNginxOrigin(program: string, folder: string): Promise<StartedOrigin> {
  await writeFile(join(folder, 'large'), '')
  await truncate(join(folder, 'large'), TRANSFER_BYTES)
  await writeFile(join(folder, 'medium'), Buffer.alloc(MEDIUM_BYTES, 'x'))
  return startOn(folder, (port) => writeNginxConfig(program, folder, http(folder, port)))
}

function http(folder: string, port: number): string {
  return `
  ${NO_LOG}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    keepalive_timeout 1h;
    default_type text/plain;
    location = / { return 200 "Hello world\\n"; }
    location = /large { root ${folder}; }
    location = /medium { root ${folder}; }
  }`
}
