import { isIP } from 'node:net'
import { createTlsAlpnCertificate } from '../pki/tls-alpn-certificate.ts'
import type { ChallengeAnswer } from './challenge.ts'
import { reverseName } from './reverse-name.ts'
import type { ChallengeTask } from './solver.ts'

/** RFC 8737 §3. A client cannot send an IP address as its SNI: there it is the reverse name (RFC 8738 §6). */
export async function tlsAlpn01({ name, keyAuthorization, now }: ChallengeTask): Promise<ChallengeAnswer> {
  const { certificate, privateKey } = await createTlsAlpnCertificate({ name, keyAuthorization, now })
  const serverName = isIP(name) === 0 ? name : reverseName(name)
  return { type: 'tls-alpn-01', name, serverName, certificate, privateKey }
}
