import type { KeyObject } from 'node:crypto'
import { BasicConstraints, ExtendedKeyUsage, id_ce_basicConstraints, id_ce_extKeyUsage } from '@peculiar/asn1-x509'
import { commonName, extension, signCertificate } from '../../../src/pki/certificate-signing.ts'
import { exportPrivateKey, generateKey } from '../../../src/pki/keys.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const DAY_MS = 86_400_000

/** What a client shows: PEM. */
export type Shown = { readonly cert: string; readonly key: string }

/** An authority that signs the certificates of clients, good and bad ones. */
export class ClientAuthority {
  readonly pem: string
  readonly #name: string
  readonly #key: KeyObject

  constructor(name: string, pem: string, key: KeyObject) {
    this.#name = name
    this.pem = pem
    this.#key = key
  }

  static async make(name: string, issuer?: ClientAuthority): Promise<ClientAuthority> {
    const { publicKey, privateKey } = await generateKey('ecdsa-p256')
    const pem = await signCertificate(
      {
        issuer: commonName(issuer === undefined ? name : issuer.#name),
        subject: commonName(name),
        publicKey,
        notBefore: Date.now() - DAY_MS,
        notAfter: Date.now() + DAY_MS,
        extensions: [extension(id_ce_basicConstraints, new BasicConstraints({ cA: true }), { critical: true })],
      },
      issuer === undefined ? privateKey : issuer.#key,
    )
    return new ClientAuthority(name, pem, privateKey)
  }

  async issue(
    name: string,
    { days = 1, of = 'client' }: { days?: number; of?: 'client' | 'server' } = {},
  ): Promise<Shown> {
    const { publicKey, privateKey } = await generateKey('ecdsa-p256')
    const usage = of === 'client' ? CLIENT_AUTH : SERVER_AUTH
    const cert = await signCertificate(
      {
        issuer: commonName(this.#name),
        subject: commonName(name),
        publicKey,
        notBefore: Date.now() - 2 * DAY_MS,
        notAfter: Date.now() + days * DAY_MS,
        extensions: [extension(id_ce_extKeyUsage, new ExtendedKeyUsage([usage]))],
      },
      this.#key,
    )
    return { cert, key: exportPrivateKey(privateKey) }
  }
}
