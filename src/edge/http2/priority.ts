/** RFC 9218 §4: what a request says of how it wants to be served. */
export type Priority = {
  /** From 0, the first, to 7. */
  readonly urgency: number
  /** The response is of use in parts, so it may share with others. */
  readonly isIncremental: boolean
}

export const URGENCIES = 8

/** RFC 9218 §4.1, §4.2. */
export const DEFAULT_PRIORITY: Priority = { urgency: 3, isIncremental: false }

/** Each member of a Dictionary (RFC 8941 §3.2): a key, and a value where it is not true. */
const MEMBER = /^[ \t]*([a-z*][a-z0-9_.*-]*)(?:=([^;,"\s]+|"[^"]*"))?(?:;[^,"]*)?[ \t]*$/

/**
 * Reads the value of a Priority field, or of a PRIORITY_UPDATE frame. Members that are unknown or have no value that
 * they can have are ignored, and all of it if it is no Dictionary (RFC 9218 §4, RFC 8941 §4.2).
 */
export function parsePriority(text: string): Priority {
  let { urgency, isIncremental } = DEFAULT_PRIORITY
  for (const member of text.split(',')) {
    const match = MEMBER.exec(member)
    if (match === null) return DEFAULT_PRIORITY
    const [, key, value] = match
    if (key === 'u' && value !== undefined && /^[0-7]$/.test(value)) urgency = Number(value)
    if (key === 'i' && (value === undefined || value === '?1')) isIncremental = true
    if (key === 'i' && value === '?0') isIncremental = false
  }
  return { urgency, isIncremental }
}
