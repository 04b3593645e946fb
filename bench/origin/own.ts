import { join } from 'node:path'
import { type StartedOrigin, startOn } from './serving.ts'

const PROGRAM = join(import.meta.dirname, 'server.ts')

export function startOwnOrigin(folder: string): Promise<StartedOrigin> {
  return startOn(folder, async (port) => ({ program: process.execPath, args: [PROGRAM, String(port)] }))
}
