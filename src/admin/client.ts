import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { CastellanError, describeError, errorCode } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import { LineReader } from './line-reader.ts'
import {
  CONTROL_VERSION,
  ControlError,
  type ControlReply,
  type ControlRequest,
  formatRequest,
  MAX_REPLY_BYTES,
  otherVersion,
  parseReply,
} from './protocol.ts'
import { findSockets } from './socket-place.ts'

/** A program that is busy starting answers within this. */
const HELLO_MS = 10_000

/** What the system says where no program listens. */
const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'ENOTSOCK'])

type Replies = AsyncGenerator<Exclude<ControlReply, { type: 'hello' | 'end' | 'error' }>>

/**
 * Asks the program that has a storage folder. undefined if none does. Throws ControlError, and while the replies come also
 * what the program itself refuses, as a CastellanError with its code.
 */
export async function askProgram(folder: string, request: ControlRequest, clock: Clock): Promise<Replies | undefined> {
  for (const path of await findSockets(folder)) {
    const socket = await open(path, folder)
    if (socket !== undefined) return converse(socket, request, clock)
  }
  return undefined
}

type Reply<Type extends ControlReply['type']> = Extract<ControlReply, { type: Type }>

/** The same, where all replies of one type are the answer. */
export async function collectReplies<Type extends ControlReply['type']>(
  folder: string,
  request: ControlRequest,
  type: Type,
  clock: Clock,
): Promise<Reply<Type>[] | undefined> {
  const replies = await askProgram(folder, request, clock)
  if (replies === undefined) return undefined
  const collected: Reply<Type>[] = []
  for await (const reply of replies) if (reply.type === type) collected.push(reply as Reply<Type>)
  return collected
}

async function open(path: string, folder: string): Promise<Socket | undefined> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return socket
  } catch (cause) {
    const code = errorCode(cause) ?? ''
    if (NOBODY.has(code)) return undefined
    const facts = { path, cause: code }
    if (code === 'EACCES' || code === 'EPERM') {
      const message = `This user may not ask the program: run the command as the owner of ${folder}, or as root.`
      throw new ControlError('control-denied', message, facts, { cause })
    }
    const message = `The program cannot be asked at ${path}: ${describeError(cause)}`
    throw new ControlError('control-unreachable', message, facts)
  }
}

async function* converse(socket: Socket, request: ControlRequest, clock: Clock): Replies {
  const greeted = new AbortController()
  const silent = new ControlError('control-silent', `The program does not answer within ${HELLO_MS / 1000} seconds.`)
  clock.sleep(HELLO_MS, greeted.signal).then(
    () => socket.destroy(silent),
    () => {},
  )
  try {
    socket.write(formatRequest(request))
    for await (const reply of repliesFrom(socket)) {
      greeted.abort()
      switch (reply.type) {
        case 'hello':
          if (reply.version !== CONTROL_VERSION) throw otherVersion()
          break
        case 'error':
          throw new CastellanError(reply.code, reply.message)
        case 'end':
          return
        default:
          yield reply
      }
    }
    throw new ControlError('control-broken', 'The program ended before its answer did.')
  } finally {
    greeted.abort()
    socket.destroy()
  }
}

async function* repliesFrom(socket: Socket): AsyncGenerator<ControlReply> {
  const lines = new LineReader(MAX_REPLY_BYTES)
  try {
    for await (const chunk of socket) for (const line of lines.push(chunk)) yield parseReply(line)
  } catch (error) {
    if (error instanceof CastellanError) throw error
    throw new ControlError('control-broken', `The program ended before its answer did: ${describeError(error)}`)
  }
}
