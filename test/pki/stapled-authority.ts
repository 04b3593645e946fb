import type { KeyObject } from 'node:crypto'
import { OctetString } from '@peculiar/asn1-schema'
import {
  AccessDescription,
  AuthorityInfoAccessSyntax,
  BasicConstraints,
  ExtendedKeyUsage,
  Extension,
  GeneralName,
  id_ad_ocsp,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_kp_OCSPSigning,
  id_kp_serverAuth,
  id_pe_authorityInfoAccess,
} from '@peculiar/asn1-x509'
import { type Certificate, parseChain } from '../../src/pki/certificate.ts'
import { commonName, extension, signCertificate } from '../../src/pki/certificate-signing.ts'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { exportPrivateKey, generateKey, type KeyPair } from '../../src/pki/keys.ts'
import { subjectAlternativeName } from '../../src/pki/subject-names.ts'

/** A certificate and its key. */
export type Keyed = { readonly certificate: Certificate; readonly privateKey: KeyObject }

export type LeafTerms = {
  readonly names: readonly string[]
  readonly keyKind?: KeyKind
  readonly ocspUrl?: string | undefined
  readonly mustStaple?: boolean
  readonly notBefore: number
  readonly notAfter: number
}

const keys = new Map<string, Promise<KeyPair>>()

function keyOf(kind: KeyKind, owner: string): Promise<KeyPair> {
  const key = keys.get(`${kind} ${owner}`) ?? generateKey(kind)
  keys.set(`${kind} ${owner}`, key)
  return key
}

/** A CA whose certificates name an OCSP responder. */
export class StapledAuthority {
  readonly root: Keyed
  readonly #label: string

  private constructor(root: Keyed, label: string) {
    this.root = root
    this.#label = label
  }

  static async create(times: Pick<LeafTerms, 'notBefore' | 'notAfter'>, keyKind: KeyKind = 'ecdsa-p256', label = 'CA') {
    const { publicKey, privateKey } = await keyOf(keyKind, label)
    const name = commonName(label)
    const basicConstraints = extension(id_ce_basicConstraints, new BasicConstraints({ cA: true }), { critical: true })
    const content = { issuer: name, subject: name, publicKey, ...times, extensions: [basicConstraints] }
    const [certificate] = parseChain(await signCertificate(content, privateKey))
    return new StapledAuthority({ certificate, privateKey }, label)
  }

  /** PEM: the leaf, then the root; and the leaf's key. */
  async issue(terms: LeafTerms): Promise<{ chain: string; privateKey: string }> {
    const { names, keyKind = 'ecdsa-p256', ocspUrl, mustStaple, notBefore, notAfter } = terms
    const { publicKey, privateKey } = await keyOf(keyKind, 'leaf')
    const extensions = [
      subjectAlternativeName(names, { critical: false }),
      extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
      ...(ocspUrl === undefined ? [] : [ocspAccess(ocspUrl)]),
      ...(mustStaple === true ? [tlsFeature] : []),
    ]
    const leaf = await this.#sign(names[0]!, publicKey, { notBefore, notAfter }, extensions)
    return { chain: leaf + this.root.certificate.x509.toString(), privateKey: exportPrivateKey(privateKey) }
  }

  async leaf(terms: LeafTerms): Promise<Certificate> {
    return parseChain((await this.issue(terms)).chain)[0]
  }

  /** Whom this CA lets sign OCSP responses, or not. */
  async delegate(
    times: Pick<LeafTerms, 'notBefore' | 'notAfter'>,
    { purposes = [id_kp_OCSPSigning], keyKind = 'ecdsa-p256', name = 'Responder' as string } = {},
  ): Promise<Keyed> {
    const { publicKey, privateKey } = await keyOf(keyKind as KeyKind, name)
    const extensions = purposes.length === 0 ? [] : [extension(id_ce_extKeyUsage, new ExtendedKeyUsage(purposes))]
    const [certificate] = parseChain(await this.#sign(name, publicKey, times, extensions))
    return { certificate, privateKey }
  }

  #sign(
    subject: string,
    publicKey: KeyObject,
    times: Pick<LeafTerms, 'notBefore' | 'notAfter'>,
    extensions: Extension[],
  ): Promise<string> {
    const names = { issuer: commonName(this.#label), subject: commonName(subject) }
    return signCertificate({ ...names, publicKey, ...times, extensions }, this.root.privateKey)
  }
}

const tlsFeature = new Extension({
  extnID: '1.3.6.1.5.5.7.1.24',
  extnValue: new OctetString(Buffer.from('3003020105', 'hex')),
})

/** Says where its status is to be had (RFC 5280 §4.2.2.1). */
export function ocspAccess(url: string): Extension {
  const accessLocation = new GeneralName({ uniformResourceIdentifier: url })
  const access = new AuthorityInfoAccessSyntax([new AccessDescription({ accessMethod: id_ad_ocsp, accessLocation })])
  return extension(id_pe_authorityInfoAccess, access)
}
