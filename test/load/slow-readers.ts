import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { EH, ES, headers, literals, PREFACE, settings, settingsAck, windowUpdate } from '../edge/http2/frames.ts'
import { type Loaded, type Scope, startLoaded } from './loaded.ts'

const FILE_BYTES = 100_000_000
const PIECE = Buffer.alloc(50_000)
const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
/** Before the measurement, so that what a process needs once is not taken for what each reader needs. */
const WARM_UP_READERS = 100
/** RFC 9113 §6.5.2, §6.9.1. As large as a client may say: then only its socket holds the sender up. */
const INITIAL_WINDOW = 4
const MAX_WINDOW = 2 ** 31 - 1
const WIDER_BY = MAX_WINDOW - 65_535

/** How to begin to read, and then not to: gives what ends it. */
type Reader = (loaded: Loaded) => Promise<() => void>

async function overSocket(socket: Socket, request: string | Buffer): Promise<() => void> {
  socket.on('error', () => {})
  socket.write(request)
  await once(socket, 'data')
  socket.pause()
  return () => socket.destroy()
}

/** Frame by frame, for a client of node:http2 reads its socket whether anybody reads its streams or not. */
async function overFrames(loaded: Loaded, streams: number, ...frames: Buffer[]): Promise<() => void> {
  const socket = loaded.connectHttps('h2')
  const target = [':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', 'localhost']
  const requests = Array.from({ length: streams }, (_, index) => headers(1 + 2 * index, literals(...target), EH | ES))
  return overSocket(socket, Buffer.concat([PREFACE, ...frames, settingsAck, ...requests]))
}

export const READERS = {
  'HTTP/1.1': { open: (loaded) => overSocket(loaded.connectHttp(), REQUEST), streams: 1, maxKib: 256 },
  'HTTP/1.1 over TLS': { open: (loaded) => overSocket(loaded.connectHttps(), REQUEST), streams: 1, maxKib: 256 },
  'HTTP/2, a connection each': {
    open: (loaded) => overFrames(loaded, 1, settings([INITIAL_WINDOW, MAX_WINDOW]), windowUpdate(0, WIDER_BY)),
    streams: 1,
    // A batch on its way, what TLS has encrypted of it, and a read of the upstream behind it; the next read has its room.
    maxKib: 256,
  },
  'HTTP/2, a hundred on a connection': {
    open: (loaded) => overFrames(loaded, 100, settings([INITIAL_WINDOW, MAX_WINDOW]), windowUpdate(0, WIDER_BY)),
    streams: 100,
    maxKib: 256,
  },
  'HTTP/2, a hundred on a connection, with windows of 1000 bytes': {
    open: (loaded) => overFrames(loaded, 100, settings([INITIAL_WINDOW, 1000])),
    streams: 100,
    maxKib: 256,
  },
} as const satisfies Record<string, { readonly open: Reader; readonly streams: number; readonly maxKib: number }>

/** An application with a large file, from which it sends whatever is taken. */
async function startFileServer(t: Scope): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': FILE_BYTES })
    let left = FILE_BYTES
    const send = (): void => {
      while (left > 0) {
        left -= PIECE.length
        if (!response.write(PIECE)) return
      }
      response.end()
    }
    response.on('drain', send)
    response.on('error', () => {})
    send()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Bytes by which the worker grows with each reader that stops reading, all of them at once. */
export async function growthPerReader(t: Scope, kind: keyof typeof READERS, readers: number): Promise<number> {
  const loaded = await startLoaded(t, { upstream: await startFileServer(t), workers: 1 })
  const { open, streams } = READERS[kind]
  const ends = await openMany(loaded, open, Math.ceil(WARM_UP_READERS / streams))
  const before = await settledMemory(loaded)
  ends.push(...(await openMany(loaded, open, Math.ceil(readers / streams))))
  const growth = (await settledMemory(loaded)) - before
  for (const end of ends) end()
  return growth / readers
}

async function openMany(loaded: Loaded, open: Reader, count: number): Promise<(() => void)[]> {
  const ends: (() => void)[] = []
  while (ends.length < count) ends.push(await open(loaded))
  return ends
}

/** The most of some seconds, in which everything comes that can come. */
async function settledMemory(loaded: Loaded): Promise<number> {
  let most = 0
  for (let count = 0; count < 6; count++) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    most = Math.max(most, loaded.workerMemory)
  }
  return most
}
