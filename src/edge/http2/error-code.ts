/** RFC 9113 §7. */
export const ErrorCode = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode]

const NAMES = new Map<number, string>(
  Object.entries(ErrorCode).map(([name, code]) => [code, name.replaceAll(/(?=[A-Z])/g, '_').toUpperCase()]),
)
NAMES.set(ErrorCode.http11Required, 'HTTP_1_1_REQUIRED')

/** As the RFC writes it: `PROTOCOL_ERROR`. Unknown codes are allowed and have no special meaning: `0x1f`. */
export function errorCodeName(code: number): string {
  return NAMES.get(code) ?? `0x${code.toString(16)}`
}
