import type { KeyObject } from 'node:crypto'
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  KeyIdentifier,
  Name,
} from '@peculiar/asn1-x509'
import { renewalIdentifier } from '../../src/acme/renewal-info.ts'
import { type Certificate, parseChain } from '../../src/pki/certificate.ts'
import { commonName, extension, keyIdentifierOf, signCertificate } from '../../src/pki/certificate-signing.ts'
import { generateKey, type KeyPair } from '../../src/pki/keys.ts'
import { subjectAlternativeName } from '../../src/pki/subject-names.ts'
import { ocspAccess } from '../pki/stapled-authority.ts'
import type { CaAccount } from './accounts.ts'
import { type CaAnswer, Refusal } from './answer.ts'

/** A certificate that the CA has given, and what became of it. */
export type CaCertificate = {
  readonly id: number
  readonly account: CaAccount
  readonly names: readonly string[]
  readonly certificate: Certificate
  /** PEM, without its issuers. */
  readonly leaf: string
  /** How renewalInfo knows it (RFC 9773 §4.1). */
  readonly certId: string
  readonly notBefore: number
  readonly notAfter: number
  revokedAt: number | undefined
  isReplaced: boolean
}

export type LeafTerms = {
  readonly names: readonly string[]
  readonly publicKey: KeyObject
  readonly notBefore: number
  readonly notAfter: number
}

/** The chain for a leaf, in PEM: what a lying CA sends is another one. */
export type ChainOf = (leaf: string, terms: LeafTerms, authority: Authority) => string | Promise<string>

const HOUR_MS = 60 * 60 * 1000
const YEAR_MS = 365 * 24 * 60 * 60 * 1000

/** The tops of the two chains that are offered: the CA's own choice, then the alternate one (RFC 8555 §7.4.2). */
export const ROOTS = ['Fake Root X1', 'Fake Root X2'] as const

/** An intermediate with a key, that two roots have signed. */
export class Authority {
  readonly keys: KeyPair
  /** PEM, one a root. */
  readonly intermediates: readonly string[]
  /** Named in what it signs from now on. */
  ocspUrl: string | undefined

  private constructor(keys: KeyPair, intermediates: readonly string[]) {
    this.keys = keys
    this.intermediates = intermediates
  }

  static async create(now: number): Promise<Authority> {
    const keys = await generateKey('ecdsa-p256')
    const times = { notBefore: now - YEAR_MS, notAfter: now + 10 * YEAR_MS }
    const basicConstraints = new BasicConstraints({ cA: true })
    const content = { subject: commonName('Fake Intermediate E1'), publicKey: keys.publicKey, ...times }
    const extensions = [extension(id_ce_basicConstraints, basicConstraints, { critical: true })]
    const sign = async (root: string): Promise<string> => {
      const { privateKey } = await generateKey('ecdsa-p256')
      return signCertificate({ ...content, issuer: commonName(root), extensions }, privateKey)
    }
    return new Authority(keys, await Promise.all(ROOTS.map(sign)))
  }

  /** PEM. */
  sign({ names, publicKey, notBefore, notAfter }: LeafTerms): Promise<string> {
    const keyIdentifier = new KeyIdentifier(keyIdentifierOf(this.keys.publicKey))
    const extensions = [
      subjectAlternativeName(names, { critical: true }),
      extension(id_ce_authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier })),
      ...(this.ocspUrl === undefined ? [] : [ocspAccess(this.ocspUrl)]),
    ]
    const content = { issuer: commonName('Fake Intermediate E1'), subject: new Name(), publicKey, extensions }
    return signCertificate({ ...content, notBefore, notAfter }, this.keys.privateKey)
  }
}

/** What the CA has issued. */
export class CaCertificates {
  readonly all: CaCertificate[] = []
  /** In place of the right chain, as long as it is set. */
  chainOf: ChainOf | undefined
  /** CAs date certificates back, for clients whose clocks are slow. */
  backdatingMs = HOUR_MS
  readonly #now: () => number
  readonly #url: (path: string) => string
  readonly #authority: Authority

  constructor(now: () => number, url: (path: string) => string, authority: Authority) {
    this.#now = now
    this.#url = url
    this.#authority = authority
  }

  async issue(
    account: CaAccount,
    names: readonly string[],
    publicKey: KeyObject,
    lifetimeMs: number,
  ): Promise<CaCertificate> {
    const notBefore = this.#now() - this.backdatingMs
    const notAfter = notBefore + lifetimeMs
    const leaf = await this.#authority.sign({ names, publicKey, notBefore, notAfter })
    const [certificate] = parseChain(leaf)
    const facts = { account, names, leaf, certificate, notBefore, notAfter }
    const certId = renewalIdentifier(certificate)!
    const issued = { id: this.all.length, ...facts, certId, revokedAt: undefined, isReplaced: false }
    this.all.push(issued)
    return issued
  }

  /** Its URL; `chain` is 0 for the CA's own choice. */
  async download(issued: CaCertificate, chain: number): Promise<CaAnswer> {
    const { id, leaf, names, certificate, notBefore, notAfter } = issued
    const { publicKey } = certificate
    const pem =
      (await this.chainOf?.(leaf, { names, publicKey, notBefore, notAfter }, this.#authority)) ??
      leaf + this.#authority.intermediates[chain]!
    const Link = `<${this.#url(`/certificate/${id}/1`)}>;rel="alternate"`
    return { headers: { 'Content-Type': 'application/pem-certificate-chain', Link }, body: pem }
  }

  /** revokeCert (RFC 8555 §7.6), by the account that it was issued to or by its own key. Throws Refusal. */
  answerRevocation(der: unknown, mayRevoke: (issued: CaCertificate) => boolean): CaAnswer {
    const issued = this.all.find(({ certificate }) => certificate.x509.raw.toString('base64url') === der)
    if (issued === undefined) throw new Refusal('malformed', 'No such certificate', { status: 404 })
    if (!mayRevoke(issued)) throw new Refusal('unauthorized', 'The requester may not revoke this', { status: 403 })
    if (issued.revokedAt !== undefined) throw new Refusal('alreadyRevoked', 'Certificate already revoked')
    this.revoke(issued)
    return {}
  }

  byCertId(certId: string): CaCertificate | undefined {
    return this.all.find((issued) => issued.certId === certId)
  }

  /** What a CA does that finds out that it should not have issued it. */
  revoke(issued: CaCertificate): void {
    issued.revokedAt = this.#now()
  }
}
