import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { connect } from 'node:tls'

/** What a client sends first, taken from a real one that connects to a port of ours. */
async function captureFrom(start: (port: number) => () => void): Promise<Buffer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = start((server.address() as AddressInfo).port)
  const [socket] = (await once(server, 'connection')) as [Socket]
  let bytes = Buffer.alloc(0)
  while (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) {
    const [piece] = (await once(socket, 'data')) as [Buffer]
    bytes = Buffer.concat([bytes, piece])
  }
  socket.destroy()
  server.close()
  stop()
  return bytes
}

export function captureNode(options: { ecdhCurve?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  return captureFrom((port) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'App.Example.com', ...options })
    socket.on('error', () => {})
    return () => socket.destroy()
  })
}

export function captureOpenssl(...args: readonly string[]): Promise<Buffer> {
  return captureFrom((port) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'a.test', ...args], {
      stdio: 'ignore',
    })
    return () => child.kill()
  })
}
