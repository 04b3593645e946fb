import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

export type Handshake = {
  readonly exitCode: number | null
  readonly output: string
  /** What the server sent, in its order. */
  readonly chain: readonly X509Certificate[]
}

/** The clients that dual certificates are for, in the words of `openssl s_client`. */
export const clients = {
  'an ECDSA client': ['-sigalgs', 'ecdsa_secp256r1_sha256'],
  'an RSA-only TLS 1.3 client': ['-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256'],
  'an RSA-only TLS 1.2 client': ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'],
} as const

/** One handshake by `openssl s_client`, which checks the chain if a root is among the arguments. */
export async function sClient(port: number, args: readonly string[]): Promise<Handshake> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-showcerts', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  const pems = stdout.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  return { exitCode, output: stdout + stderr, chain: [...new Set(pems)].map((pem) => new X509Certificate(pem)) }
}
