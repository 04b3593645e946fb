import type { ChildProcess } from 'node:child_process'
import { connect } from 'node:net'

/** Waits until this program accepts connections there. Gives false if it ends instead. */
export async function listening(program: ChildProcess, port: number): Promise<boolean> {
  while (program.exitCode === null && program.signalCode === null) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isThere) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}
