import { spawn } from 'node:child_process'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { serveWelcomeApp } from './app.ts'

// What `npm start` runs: the application at the port where config.example.yaml looks for it, and Castellan in front.

const ROOT = join(import.meta.dirname, '../..')
const CONFIG = join(ROOT, 'config.example.yaml')

/** undefined if the config leads elsewhere, or is wrong, which Castellan itself says best. */
async function appPort(): Promise<number | undefined> {
  try {
    const { config } = await loadConfig({ file: CONFIG, env: process.env })
    const action = config.sites.find(({ name }) => name === 'localhost')?.action
    const address = action?.type === 'proxy' ? action.upstream.targets[0]?.address : undefined
    return address?.scheme === 'http' && address.host === 'localhost' ? address.port : undefined
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

function runCastellan(apps: readonly Server[]): void {
  const args = [join(ROOT, 'bin/castellan.js'), 'run', '--config', CONFIG]
  const castellan = spawn(process.execPath, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      // Ctrl-C in a terminal has reached Castellan as well, and a second one would end it at once.
      if (signal === 'SIGTERM' || !process.stdin.isTTY) castellan.kill(signal)
    })
  castellan.once('exit', (code) => {
    process.exitCode = code ?? 1
    for (const app of apps) {
      app.close()
      app.closeAllConnections()
    }
  })
}

const port = await appPort()
try {
  runCastellan(port === undefined ? [] : await serveWelcomeApp(port))
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException
  const why = code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used (${message})`
  process.stderr.write(
    `Port ${port}, where config.example.yaml looks for the welcome app, ${why}: stop that program, or give the app ` +
      `another port in the line "localhost: http://localhost:${port}" of that file, or put the program that is there ` +
      'behind Castellan with "npx castellan run config.example.yaml".\n',
  )
  process.exitCode = 1
}
