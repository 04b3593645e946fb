/** Alert descriptions (RFC 8446 §6, RFC 7301 §3.2). */
export const Alert = {
  unexpectedMessage: 10,
  recordOverflow: 22,
  handshakeFailure: 40,
  illegalParameter: 47,
  decodeError: 50,
  protocolVersion: 70,
  internalError: 80,
  unrecognizedName: 112,
  noApplicationProtocol: 120,
} as const
export type Alert = (typeof Alert)[keyof typeof Alert]

const ALERT_RECORD = 21
const FATAL = 2

/** A fatal alert in a record of its own, as it is sent before anything is encrypted (RFC 8446 §5.1). */
export function alertRecord(alert: Alert): Buffer {
  return Buffer.from([ALERT_RECORD, 3, 3, 0, 2, FATAL, alert])
}
