import { sign } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shardOf, shards } from '../../src/certificates/on-demand/registry.ts'
import { parseChain } from '../../src/pki/certificate.ts'
import { derElement, derElements, encodeDer } from '../../src/pki/der-element.ts'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { exportPrivateKey, generateKey, type KeyPair } from '../../src/pki/keys.ts'
import { encodeCertificate } from '../../src/pki/pem.ts'
import { systemClock } from '../../src/system/clock.ts'
import { inParallel } from '../load/in-parallel.ts'
import { signCertificateFor } from '../site.ts'

const FILES_AT_ONCE = 32
const DAY_MS = 24 * 60 * 60 * 1000
const BIT_STRING = 0x03
const SEQUENCE = 0x30

/**
 * Fills a storage with a certificate for each name, as if the internal CA had given them: of one key, and signed by
 * themselves. The names are all of one length.
 */
export async function storeCertificates(folder: string, names: readonly string[]): Promise<void> {
  const certificates = join(folder, 'certificates')
  await mkdir(certificates, { recursive: true, mode: 0o700 })
  const mint = await Mint.open('ecdsa-p256', names[0]!)
  const asked = { issuer: 'internal', authority: 'internal', obtainedAt: systemClock.now() }
  await inParallel(names.length, FILES_AT_ONCE, async (index) => {
    const name = names[index]!
    const record = { names: [name], ...asked, chain: mint.certificate(name), privateKey: mint.privateKey }
    await writeFile(join(certificates, `${name}.ecdsa-p256`), JSON.stringify(record), { mode: 0o600 })
  })
}

/** The same for names on demand: each with a certificate of each kind of key from this issuer, let in a day ago. */
export async function storeOnDemand(
  folder: string,
  names: readonly string[],
  { kinds, issuer, authority }: { kinds: readonly KeyKind[]; issuer: string; authority: string },
): Promise<void> {
  const mints = await Promise.all(kinds.map(async (kind) => [kind, await Mint.open(kind, names[0]!)] as const))
  const now = systemClock.now()
  const times = {
    admittedAt: now - DAY_MS,
    seenAt: now - DAY_MS,
    dueAt: now + 19 * DAY_MS,
    notAfter: now + 29 * DAY_MS,
  }
  for (const shard of shards)
    for (const kind of ['names', 'certificates'])
      await mkdir(join(folder, 'on-demand', kind, shard), { recursive: true, mode: 0o700 })
  await inParallel(names.length, FILES_AT_ONCE, async (index) => {
    const name = names[index]!
    const shard = shardOf(name)
    const write = (kind: string, file: string, value: object): Promise<void> =>
      writeFile(join(folder, 'on-demand', kind, shard, file), JSON.stringify(value), { mode: 0o600 })
    await write('names', name, { name, ...times })
    for (const [kind, mint] of mints) {
      const asked = { names: [name], issuer, authority, obtainedAt: times.admittedAt }
      const record = { ...asked, chain: mint.certificate(name), privateKey: mint.privateKey }
      await write('certificates', `${name}.${kind}`, record)
    }
  })
}

/** Makes certificates that differ in their names alone, in a tenth of the time: what one says is made once. */
class Mint {
  /** PEM. */
  readonly privateKey: string
  readonly #name: string
  readonly #pair: KeyPair
  readonly #content: string
  readonly #algorithm: Buffer

  private constructor(name: string, pair: KeyPair, content: Buffer, algorithm: Buffer) {
    this.privateKey = exportPrivateKey(pair.privateKey)
    this.#name = name
    this.#pair = pair
    this.#content = content.toString('latin1')
    this.#algorithm = algorithm
  }

  static async open(kind: KeyKind, name: string): Promise<Mint> {
    const pair = await generateKey(kind)
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
