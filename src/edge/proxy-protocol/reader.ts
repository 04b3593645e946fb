import type { Socket } from 'node:net'
import type { Endpoints } from '../endpoints.ts'
import { readProxyHeader } from './header.ts'

export type ProxyHeaderOptions = {
  /** For all of the header, from the first moment; proxies send it at once. */
  readonly timeoutMs: number
  /** `endpoints` is undefined where the proxy speaks for itself. What follows the header has been put back. */
  readonly onHeader: (endpoints: Endpoints | undefined) => void
  /** The connection is closed; why, in words that follow "the PROXY header". */
  readonly onRefused: (reason: string) => void
}

/** Takes the PROXY protocol's header from the start of a connection, of which nothing has been read. */
export function takeProxyHeader(socket: Socket, { timeoutMs, onHeader, onRefused }: ProxyHeaderOptions): void {
  let received: Buffer = Buffer.alloc(0)
  const stopListening = (): void => {
    clearTimeout(timer)
    socket.off('readable', onReadable)
    socket.off('close', onClose)
  }
  const refuse = (reason: string): void => {
    stopListening()
    socket.destroy()
    onRefused(reason)
  }
  const onClose = (): void => refuse('did not come before the connection closed')
  const onReadable = (): void => {
    const bytes: Buffer | null = socket.read()
    if (bytes === null) return
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes])
    const reading = readProxyHeader(received)
    if (reading === 'incomplete') return
    if ('refused' in reading) return refuse(`is not usable: ${reading.refused}`)
    stopListening()
    const rest = received.subarray(reading.length)
    if (rest.length > 0) socket.unshift(rest)
    onHeader(reading.endpoints)
  }
  const timer = setTimeout(() => refuse(`did not come within ${timeoutMs} ms`), timeoutMs)
  socket.on('readable', onReadable)
  socket.on('close', onClose)
}
