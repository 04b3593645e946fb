import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import type { Frontends } from '../fake-ca/validation.ts'

/** What a CA meets that looks at these ports of this machine for every name. */
export function frontendsAt({ httpPort, httpsPort }: { httpPort: number; httpsPort: number }): Frontends {
  return {
    http: (name, token) => {
      const { promise, resolve } = Promise.withResolvers<string | undefined>()
      const path = `/.well-known/acme-challenge/${token}`
      get({ port: httpPort, host: '127.0.0.1', path, headers: { Host: name }, agent: false }, (response) =>
        resolve(response.statusCode === 200 ? text(response) : undefined),
      ).once('error', () => resolve(undefined))
      return promise
    },
    tls: (servername) => {
      const { promise, resolve } = Promise.withResolvers<Buffer | undefined>()
      const target = { port: httpsPort, host: '127.0.0.1', servername, rejectUnauthorized: false }
      const socket = connect({ ...target, ALPNProtocols: ['acme-tls/1'] }, () => {
        resolve(socket.alpnProtocol === 'acme-tls/1' ? socket.getPeerX509Certificate()?.raw : undefined)
        socket.destroy()
      }).once('error', () => resolve(undefined))
      return promise
    },
  }
}
