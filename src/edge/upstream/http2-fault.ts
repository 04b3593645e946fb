import { errorCode } from '../../errors.ts'
import { Http2Error } from '../http2/http2-error.ts'
import type { UpstreamAddress } from '../snapshot.ts'
import { Http2NotOfferedError } from './dial.ts'
import { formatUpstream } from './upstream-name.ts'

/** Why no connection of HTTP/2 came about, and the remedy, for an operator of ours; undefined for all other reasons. */
export function http2Fault(address: UpstreamAddress, cause: unknown): string | undefined {
  if (address.scheme !== 'h2' && address.scheme !== 'h2c') return undefined
  if (cause instanceof Http2NotOfferedError || errorCode(cause) === NO_PROTOCOL_ALERT)
    return `it does not offer HTTP/2: try ${formatUpstream({ ...address, scheme: 'https' })}`
  const isSilent = cause instanceof Error && errorCode(cause) === undefined
  if (address.scheme !== 'h2c' || !(cause instanceof Http2Error || isSilent || errorCode(cause) === 'ECONNRESET'))
    return undefined
  const [plain, secure] = (['http', 'h2'] as const).map((scheme) => formatUpstream({ ...address, scheme }))
  return `what it answers is not HTTP/2 in clear: try ${plain}, or ${secure} if it speaks HTTP/2 over TLS`
}

/** RFC 7301 §3.2. */
const NO_PROTOCOL_ALERT = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'
