import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createWelcomeApp } from './app.ts'

// What `npm start` runs: the application at the address that config.example.yaml names, and Castellan in front of it.

/** As in config.example.yaml. */
const PORT = 3000
const ROOT = join(import.meta.dirname, '../..')

const app = createWelcomeApp()
app.once('error', (error: NodeJS.ErrnoException) => {
  const why = error.code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used (${error.message})`
  process.stderr.write(
    `The welcome app's port ${PORT} ${why}. To put that program behind Castellan, run "npx castellan run config.example.yaml"; ` +
      'else stop it and try again.\n',
  )
  process.exitCode = 1
})
app.listen(PORT, 'localhost', () => {
  const args = [join(ROOT, 'bin/castellan.js'), 'run', join(ROOT, 'config.example.yaml')]
  const castellan = spawn(process.execPath, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      // Ctrl-C in a terminal has reached Castellan as well, and a second one would end it at once.
      if (signal === 'SIGTERM' || !process.stdin.isTTY) castellan.kill(signal)
    })
  castellan.once('exit', (code) => {
    process.exitCode = code ?? 1
    app.close()
    app.closeAllConnections()
  })
})
