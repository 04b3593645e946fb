import type { ChildProcess, StdioOptions } from 'node:child_process'
import { describeError } from '../errors.ts'
import { startOwnProcess } from '../system/own-process.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { workerEnvironment } from './worker-environment.ts'

/** A worker as the supervisor sees it: somebody to talk to, who may die. */
export interface WorkerProcess {
  readonly pid: number | undefined
  send(message: ToWorker): void
  onMessage(listener: (message: FromWorker) => void): void
  /** Called once. `cause` is the exit code or the signal, in words. */
  onExit(listener: (cause: string) => void): void
  kill(): void
}

/** Descriptors 0 to 2 are the standard streams and 3 is the channel to the supervisor. */
export const FIRST_INHERITED_FD = 4

/**
 * How V8 collects the garbage of a worker. Threads that help it cost more CPU time than they save, as what lives is a few
 * connections and buffers die young: without them a body of 100 MB cost 90 ms in place of 140 to a client, and 118 in place
 * of 163 from one (medians of six). A young generation of 8 MiB in place of 16 gave the best rounds of uploads; of 4 MiB
 * cheaper uploads still, but dearer small requests. The collector is exposed to `edge/buffer-garbage`.
 */
const V8_FLAGS = ['--single-threaded-gc', '--max-semi-space-size=8', '--expose-gc']

/**
 * glibc gives each thread a region of its own for small allocations, unless told otherwise, and a worker's few other threads
 * allocate next to nothing: 3 MB of each worker. Other systems do not know the variable.
 */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '1' }

/**
 * Starts this same program as a worker.
 *
 * @param program the path of the script to start, with `worker` as its command.
 * @param fds sockets that it inherits, from FIRST_INHERITED_FD on.
 */
export function spawnWorker(program: string, fds: readonly number[]): WorkerProcess {
  try {
    const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc', ...fds]
    const env = { ...ENVIRONMENT, ...workerEnvironment(process.env) }
    // The channel keeps what several sites have in common one thing: a worker holds the default timeouts once.
    return asWorker(startOwnProcess(program, ['worker'], { flags: V8_FLAGS, env, stdio }))
  } catch (error) {
    return stillborn(error)
  }
}

/** Some failures to start a process are thrown, others reported later: whoever keeps workers must not have to know. */
function stillborn(error: unknown): WorkerProcess {
  const onExit = (listener: (cause: string) => void): void => {
    setImmediate(() => listener(`could not be started: ${describeError(error)}`))
  }
  return { pid: undefined, send: () => {}, onMessage: () => {}, onExit, kill: () => {} }
}

function asWorker(child: ChildProcess): WorkerProcess {
  return {
    pid: child.pid,
    send: (message) => {
      if (child.connected) child.send(message)
    },
    onMessage: (listener) => child.on('message', (message) => listener(message as FromWorker)),
    onExit: (listener) => {
      let isTold = false
      const tell = (cause: string): void => {
        if (isTold) return
        isTold = true
        listener(cause)
      }
      child.once('exit', (code, signal) => tell(signal === null ? `exit code ${code}` : `signal ${signal}`))
      child.on('error', (error) => {
        if (child.pid === undefined) tell(`could not be started: ${error.message}`)
      })
    },
    kill: () => child.kill('SIGKILL'),
  }
}
