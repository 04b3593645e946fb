import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import { freePort } from '../../e2e/castellan.ts'
import type { Scope } from '../adversary/running-edge.ts'
import { listening } from './listening.ts'

export type ApacheOrigin = {
  readonly address: UpstreamAddress
  /** What `/large.bin` is. */
  readonly large: Buffer
  /** What `/text.txt` is: long, and easy to compress. */
  readonly text: string
}

const LARGE_BYTES = 8_000_000
/** Where Debian has them. */
const MODULES = '/usr/lib/apache2/modules'
/** `nobody`, which Apache becomes when root starts it. */
const NOBODY = 65_534

/**
 * Apache as an application: files, compressed text, uploads by WebDAV, a program that writes as it goes, and refusals ahead
 * of the content. It takes both versions of HTTP in clear text on one port.
 */
export async function startApache(t: Scope, scheme: 'http' | 'h2c', settings = ''): Promise<ApacheOrigin> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-apache-'))
  const port = await freePort()
  const large = randomBytes(LARGE_BYTES)
  const text = 'nothing new under the sun. '.repeat(5000)
  await writeFolder(folder, { 'large.bin': large, 'text.txt': text })
  await writeFile(join(folder, 'apache.conf'), configText(folder, port, settings))
  const args = ['-d', folder, '-f', join(folder, 'apache.conf'), '-DFOREGROUND']
  const apache = spawn('apache2', args, { stdio: 'ignore' })
  const exited = once(apache, 'exit')
  t.after(async () => {
    apache.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true, force: true })
  })
  if (!(await listening(apache, port))) throw new Error(`Apache did not start: ${await errorsIn(folder)}`)
  return { address: { scheme, host: '127.0.0.1', port }, large, text }
}

async function errorsIn(folder: string): Promise<string> {
  return readFile(join(folder, 'run/errors'), 'utf8').catch(() => 'its config is wrong')
}

/** Its worker is another user where root starts it, and must read, and write uploads. */
async function writeFolder(folder: string, files: Record<string, Buffer | string>): Promise<void> {
  await chmod(folder, 0o755)
  for (const name of ['www', 'www/up', 'www/folder', 'run', 'cgi']) {
    await mkdir(join(folder, name))
    await chmod(join(folder, name), 0o777)
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, 'www', name), content)
  await writeFile(join(folder, 'cgi/steps'), STEPS)
  await writeFile(join(folder, 'cgi/sum'), SUM)
  for (const name of ['steps', 'sum']) await chmod(join(folder, 'cgi', name), 0o755)
}

/** Writes a line, and the next when there has been time to send the first. */
const STEPS = `#!/bin/sh
printf 'Content-Type: text/x-steps\\n\\none\\n'
sleep 0.1
printf 'two\\n'
`

/** Tells how much content came, and what it adds up to. */
const SUM = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
sha256sum
`

function configText(folder: string, port: number, settings: string): string {
  const modules = [
    'mpm_event',
    'authz_core',
    'dir',
    'mime',
    'alias',
    'cgid',
    'deflate',
    'filter',
    'dav',
    'dav_fs',
    'http2',
  ]
  return `${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
${process.getuid?.() === 0 ? `User #${NOBODY}\nGroup #${NOBODY}` : ''}
Listen 127.0.0.1:${port}
ServerName apache.test
PidFile ${folder}/run/pid
DefaultRuntimeDir ${folder}/run
ScriptSock ${folder}/run/cgid
DavLockDB ${folder}/run/dav
ErrorLog ${folder}/run/errors
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
Protocols h2c http/1.1
TypesConfig /dev/null
AddType text/plain .txt
AddType application/octet-stream .bin
AddOutputFilterByType DEFLATE text/plain
DocumentRoot ${folder}/www
ScriptAlias /cgi/ ${folder}/cgi/
ScriptAlias /small/ ${folder}/cgi/
<Location />
  Require all granted
</Location>
<Location /up>
  Dav On
</Location>
<Location /small>
  LimitRequestBody 1000
</Location>
<Location /forbidden>
  Require all denied
</Location>
${settings}
`
}
