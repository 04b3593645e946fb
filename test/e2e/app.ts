import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'

const PROGRAM = `
const { createServer } = require('node:http')
const [, name, port] = process.argv
const server = createServer((request, response) => {
  response.setHeader('x-app', name)
  if (request.url === '/500') response.statusCode = 500
  if (request.url === '/slow') return setTimeout(() => response.end('slow'), 500)
  response.end(name)
})
server.listen(Number(port), '127.0.0.1')
`

/** An application in a process of its own, that can be killed, stopped and started. */
export class App {
  readonly name: string
  readonly port: number
  #process: ChildProcess | undefined

  constructor(t: TestContext, name: string, port: number) {
    this.name = name
    this.port = port
    t.after(() => this.kill())
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    this.#process = spawn(process.execPath, ['-e', PROGRAM, this.name, String(this.port)], { stdio: 'inherit' })
    while (!(await this.#listens())) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    const ended = this.#process
    this.#process = undefined
    if (ended === undefined || ended.exitCode !== null || ended.signalCode !== null) return
    ended.kill('SIGKILL')
    await once(ended, 'exit')
  }

  /** It accepts connections and says nothing. */
  hang(): void {
    this.#process?.kill('SIGSTOP')
  }

  goOn(): void {
    this.#process?.kill('SIGCONT')
  }

  #listens(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => resolve(false))
    })
  }
}
