import { sign } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseChain } from '../../src/pki/certificate.ts'
import { derElement, derElements, encodeDer } from '../../src/pki/der-element.ts'
import { exportPrivateKey, generateKey, type KeyPair } from '../../src/pki/keys.ts'
import { encodeCertificate } from '../../src/pki/pem.ts'
import { systemClock } from '../../src/system/clock.ts'
import { inParallel } from '../load/in-parallel.ts'
import { signCertificateFor } from '../site.ts'

const FILES_AT_ONCE = 32
const BIT_STRING = 0x03
const SEQUENCE = 0x30

/**
 * Fills a storage with a certificate for each name, as if the internal CA had given them: of one key, and signed by
 * themselves. The names are all of one length.
 */
export async function storeCertificates(folder: string, names: readonly string[]): Promise<void> {
  const certificates = join(folder, 'certificates')
  await mkdir(certificates, { recursive: true, mode: 0o700 })
  const pair = await generateKey('ecdsa-p256')
  const mint = await Mint.open(names[0]!, pair)
  const asked = { issuer: 'internal', authority: 'internal', obtainedAt: systemClock.now() }
  const privateKey = exportPrivateKey(pair.privateKey)
  await inParallel(names.length, FILES_AT_ONCE, async (index) => {
    const name = names[index]!
    const record = { names: [name], ...asked, chain: mint.certificate(name), privateKey }
    await writeFile(join(certificates, `${name}.ecdsa-p256`), JSON.stringify(record), { mode: 0o600 })
  })
}

/** Makes certificates that differ in their names alone, in a tenth of the time: what one says is made once. */
class Mint {
  readonly #name: string
  readonly #pair: KeyPair
  readonly #content: string
  readonly #algorithm: Buffer

  private constructor(name: string, pair: KeyPair, content: Buffer, algorithm: Buffer) {
    this.#name = name
    this.#pair = pair
    this.#content = content.toString('latin1')
    this.#algorithm = algorithm
  }

  static async open(name: string, pair: KeyPair): Promise<Mint> {
    const [{ x509 }] = parseChain(await signCertificateFor(name, pair))
    const [content, algorithm] = derElements(derElement(x509.raw, SEQUENCE).content)
    return new Mint(name, pair, content!.whole, algorithm!.whole)
  }

  /** PEM. `name` is as long as that of the first. */
  certificate(name: string): string {
    const content = Buffer.from(this.#content.replaceAll(this.#name, name), 'latin1')
    const signature = sign('sha256', content, this.#pair.privateKey)
    const signed = [content, this.#algorithm, encodeDer(BIT_STRING, Buffer.of(0), signature)]
    return encodeCertificate(encodeDer(SEQUENCE, ...signed))
  }
}
