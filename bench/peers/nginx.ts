import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BenchError } from '../bench-error.ts'
import { type Command, findTool, missingTool, type Tool } from '../program.ts'
import type { Site } from '../site.ts'
import { ACCESS_LOG, findInstalled, IDLE_UPSTREAM_CONNECTIONS, MAX_CONNECTIONS, type Peer, type Setup } from './peer.ts'

export const nginxTool: Tool = { program: 'nginx', debianPackage: 'nginx' }

export const nginx: Peer = {
  name: 'nginx',
  protocols: ['http/1.1', 'h2'],
  abilities: ['several-workers', 'access-log'],
  find: () => findInstalled(nginxTool, ['-v'], /nginx\/(\S+)/),
  async configure(setup: Setup): Promise<Command> {
    const program = findTool(nginxTool)
    if (program === undefined) throw new BenchError('program-missing', missingTool(nginxTool))
    return writeNginxConfig(program, setup.folder, httpText(setup), setup.workers)
  },
}

/** Writes a config, of which `http` says what it serves, and gives the command that runs it. */
export async function writeNginxConfig(program: string, folder: string, http: string, workers = 1): Promise<Command> {
  const config = join(folder, 'nginx.conf')
  await writeFile(config, configText(folder, http, workers))
  return { program, args: ['-p', folder, '-e', 'stderr', '-c', config] }
}

function configText(folder: string, http: string, workers: number): string {
  // As root its worker becomes "nobody", who may not read a temporary folder.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `${user}
daemon off;
worker_processes ${workers};
worker_rlimit_nofile ${MAX_CONNECTIONS * 2 + 100};
pid ${folder}/nginx.pid;
events { worker_connections ${MAX_CONNECTIONS * 2}; }
http {
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  sendfile on;
  tcp_nopush on;
  # 1,000 unless set: then it closes, which no other peer does.
  keepalive_requests 1000000000;
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128;
${http}
}
`
}

function httpText({ folder, port, originPort, sites, hasAccessLog = false }: Setup): string {
  return `
  ${hasAccessLog ? jsonLog(join(folder, ACCESS_LOG)) : NO_LOG}
  client_max_body_size 0;
  # Bodies pass through and are not put on disk first, as with the other peers.
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $upstream_connection;
  map $http_upgrade $upstream_connection { default upgrade; '' ''; }
  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive ${IDLE_UPSTREAM_CONNECTIONS};
    keepalive_requests 1000000000;
  }
${sites.map((site) => serverText(site, port)).join('')}`
}

export const NO_LOG = 'access_log off;'

/** What Castellan writes of a request. */
function jsonLog(file: string): string {
  const fields = [
    ...['"time":"$time_iso8601","level":"info","event":"request","client":"$remote_addr","site":"$server_name"'],
    ...['"host":"$http_host","method":"$request_method","target":"$request_uri","version":"$server_protocol"'],
    ...['"status":$status,"bytes":$body_bytes_sent,"requestId":"$request_id","durationMs":$request_time'],
    ...['"tls":"$ssl_protocol","cipher":"$ssl_cipher","resumed":"$ssl_session_reused"'],
    ...['"upstream":"$upstream_addr","connectMs":"$upstream_connect_time","firstByteMs":"$upstream_header_time"'],
  ]
  return `log_format json escape=json '{${fields.join()}}';\n  access_log ${file} json;`
}

function serverText({ name, certificate, key }: Site, port: number): string {
  return `  server {
    listen 127.0.0.1:${port} ssl http2;
    server_name ${name};
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / { proxy_pass http://origin; }
  }
`
}
