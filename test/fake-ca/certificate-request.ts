import { createPublicKey, type KeyObject } from 'node:crypto'
import { CertificationRequest } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Extensions, id_ce_subjectAltName, SubjectAlternativeName } from '@peculiar/asn1-x509'
import { Refusal } from './answer.ts'

/** PKCS #9 extensionRequest (RFC 2985 §5.4.2). */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/** What a certificate request (RFC 2986) asks for: base64url of its DER, as finalize has it. Throws Refusal `badCSR`. */
export function readRequest(csr: unknown): { names: string[]; publicKey: KeyObject } {
  try {
    const der = Buffer.from(String(csr), 'base64url')
    const { certificationRequestInfo } = AsnConvert.parse(der, CertificationRequest)
    const spki = Buffer.from(AsnConvert.serialize(certificationRequestInfo.subjectPKInfo))
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    const asked = certificationRequestInfo.attributes.find(({ type }) => type === EXTENSION_REQUEST)!
    const extensions = AsnConvert.parse(asked.values[0]!, Extensions)
    const { extnValue } = extensions.find(({ extnID }) => extnID === id_ce_subjectAltName)!
    const names = AsnConvert.parse(extnValue, SubjectAlternativeName).map((name) => name.dNSName ?? name.iPAddress!)
    return { names: names.sort(), publicKey }
  } catch {
    throw new Refusal('badCSR', 'Error parsing certificate request')
  }
}
