import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { derElement, derElements } from '../../../src/pki/der-element.ts'

const run = promisify(execFile)

/** What is known of a certificate, by its serial number in lower-case hex. */
export type KnownStatus = 'good' | 'revoked' | 'unknown'

export type OcspResponderOptions = {
  /** PEM: who issued the certificates, and who signs the responses. */
  readonly issuer: string
  readonly signer: { readonly certificate: string; readonly privateKey: string }
  readonly statusOf: (serial: string) => KnownStatus
}

export type OcspResponder = {
  readonly url: string
  /** The serial numbers that it was asked about, in their order. */
  readonly asked: readonly string[]
  /** From now on it can sign. */
  configure(options: OcspResponderOptions): Promise<void>
  stop(): Promise<void>
}

/**
 * A responder whose answers are those of `openssl ocsp`, which on its own listens on every interface and hangs at whoever
 * connects and says nothing. It must be configured before it is asked.
 */
export async function startOcspResponder(): Promise<OcspResponder> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-ocsp-'))
  const asked: string[] = []
  let options: OcspResponderOptions | undefined
  const server = createServer({}, async (request, response) => {
    const question = await buffer(request)
    const serial = serialOf(question)
    asked.push(serial)
    const answer = await sign(folder, question, serial, options!.statusOf(serial), asked.length)
    response.setHeader('Content-Type', 'application/ocsp-response')
    response.end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/`,
    asked,
    async configure(given) {
      options = given
      await writeFile(join(folder, 'ca.pem'), given.issuer)
      await writeFile(join(folder, 'signer.pem'), given.signer.certificate)
      await writeFile(join(folder, 'signer.key'), given.signer.privateKey)
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function sign(
  folder: string,
  question: Buffer,
  serial: string,
  status: KnownStatus,
  count: number,
): Promise<Buffer> {
  const [index, request, answer] = [`${count}.index`, `${count}.request`, `${count}.response`]
  await writeFile(join(folder, request), question)
  await writeFile(join(folder, index), indexLine(serial, status))
  const authority = ['-index', index, '-CA', 'ca.pem', '-rsigner', 'signer.pem', '-rkey', 'signer.key', '-ndays', '7']
  await run('openssl', ['ocsp', ...authority, '-reqin', request, '-respout', answer], { cwd: folder })
  return readFile(join(folder, answer))
}

/** As `openssl ca` keeps its index: status, expiry, revocation, serial number, file and subject, with tabs between. */
function indexLine(serial: string, status: KnownStatus): string {
  const number = (serial.length % 2 === 0 ? serial : `0${serial}`).toUpperCase()
  if (status === 'unknown') return ''
  const [letter, revoked] = status === 'good' ? ['V', ''] : ['R', '261101000000Z,keyCompromise']
  return `${letter}\t491231235959Z\t${revoked}\t${number}\tunknown\t/CN=x\n`
}

/** The serial number in the only CertID of a request (RFC 6960 §4.1.1). */
function serialOf(request: Buffer): string {
  let content = request
  // OCSPRequest, tbsRequest, requestList, Request, CertID
  for (let depth = 0; depth < 5; depth++) content = derElement(content, 0x30).content
  const serial = derElements(content).at(-1)!.content
  return (serial[0] === 0 ? serial.subarray(1) : serial).toString('hex')
}
