import { setTimeout as wait } from 'node:timers/promises'
import { describeError } from '../../src/errors.ts'
import { BenchError } from '../bench-error.ts'
import { freePort } from '../place.ts'
import { type Command, Program } from '../program.ts'

export type StartedOrigin = { readonly port: number; readonly program: Program }

const POLL_MS = 20
const START_TIMEOUT_MS = 10_000

/** Starts an origin on a free port and waits until it answers. Throws BenchError. */
export async function startOn(folder: string, commandFor: (port: number) => Promise<Command>): Promise<StartedOrigin> {
  const port = await freePort()
  const program = await Program.start(await commandFor(port), folder)
  try {
    await answers(port, program)
    return { port, program }
  } catch (error) {
    await program.stop()
    throw error
  }
}

async function answers(port: number, program: Program): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    program.checkAlive()
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) })
      await response.arrayBuffer()
      return
    } catch (cause) {
      if (waitedMs >= START_TIMEOUT_MS)
        throw new BenchError('not-serving', `the origin does not answer: ${describeError(cause)}`, { cause })
    }
    await wait(POLL_MS)
  }
}
