/** Our pseudonym: a host name would tell who asks what stands behind (RFC 9110 §7.6.3). */
const VALUES = { '1.0': '1.0 castellan', '1.1': '1.1 castellan', '2': '2 castellan' } as const

/** The value of our Via field on a message that came by this version of HTTP; others may stand in fields before it. */
export function viaValue(version: keyof typeof VALUES): string {
  return VALUES[version]
}
