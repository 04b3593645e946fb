import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import { freePort } from '../../e2e/castellan.ts'
import type { Scope } from '../adversary/running-edge.ts'
import { listening } from './listening.ts'

export type NginxOrigin = {
  readonly address: UpstreamAddress
  /** What `/large.bin` is. */
  readonly large: Buffer
  /** What `/text.txt` is: long, and easy to compress. */
  readonly text: string
}

const LARGE_BYTES = 8_000_000

/** nginx as an application: files, compressed text, uploads by PUT, and connections that it soon closes. */
export async function startNginx(t: Scope, settings = ''): Promise<NginxOrigin> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-nginx-'))
  const port = await freePort()
  const large = randomBytes(LARGE_BYTES)
  const text = 'nothing new under the sun. '.repeat(5000)
  await mkdir(join(folder, 'www'))
  await writeFile(join(folder, 'www/large.bin'), large)
  await writeFile(join(folder, 'www/text.txt'), text)
  await writeFile(join(folder, 'nginx.conf'), configText(folder, port, settings))
  const nginx = spawn('nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
  const exited = once(nginx, 'exit')
  t.after(async () => {
    nginx.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true, force: true })
  })
  if (!(await listening(nginx, port))) throw new Error('nginx did not start')
  return { address: { scheme: 'http', host: '127.0.0.1', port }, large, text }
}

function configText(folder: string, port: number, settings: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 1000; }
http {
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  access_log off;
  gzip on;
  gzip_types text/plain;
  client_max_body_size 0;
  large_client_header_buffers 8 16k;
  types { text/plain txt; application/octet-stream bin; }
  ${settings}
  server {
    listen 127.0.0.1:${port};
    root ${folder}/www;
    location / { dav_methods PUT DELETE; create_full_put_path on; }
    location /wide { add_header X-Wide ${'w'.repeat(3500)}; add_header X-Wide ${'v'.repeat(3500)}; return 200 wide; }
    location /gone { return 444; }
    location /empty { return 204; }
    location /cookies { add_header X-Length $http_cookie; return 200 "$http_cookie"; }
  }
}
`
}
