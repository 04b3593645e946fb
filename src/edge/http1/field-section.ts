import type { Fields } from '../exchange/exchange.ts'
import type { MessageLimits } from './limits.ts'
import { type RefusalCode, refuse } from './refusal.ts'

const SPACE = 0x20
const TAB = 0x09

/**
 * RFC 9112 §5: `field-line = field-name ":" OWS field-value OWS`, each with its CRLF and nothing between them. One regular
 * expression over the whole section takes half a microsecond; one for each name and value would take several.
 */
const FIELD_LINES = /(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/y
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** RFC 9110 §5.6.2. */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Reads the field lines of a head, from `at` to the end of `text`. Throws Refusal. */
export function parseHeaderSection(text: string, at: number, { fieldBytes, fieldCount }: MessageLimits): string[] {
  if (text.length - at > fieldBytes) throw refuse('fields-too-large')
  return parseFieldSection(text, at, fieldCount, 'fields-too-many')
}

/**
 * Reads the field lines from `at` to the end of `text`. Throws Refusal, `tooMany` for more fields than `maxCount`.
 */
export function parseFieldSection(text: string, at: number, maxCount: number, tooMany: RefusalCode): string[] {
  FIELD_LINES.lastIndex = at
  if (!FIELD_LINES.test(text)) throw refuse(faultIn(text.slice(at)))
  const fields: string[] = []
  let start = at
  while (start < text.length) {
    const colon = text.indexOf(':', start)
    const end = text.indexOf('\r\n', colon)
    fields.push(text.slice(start, colon), valueBetween(text, colon + 1, end))
    start = end + 2
  }
  if (fields.length > 2 * maxCount) throw refuse(tooMany)
  return fields
}

/** The lines of these fields, each with its CRLF. */
export function formatFieldSection(fields: Fields): string {
  let lines = ''
  for (let at = 0; at < fields.length; at += 2) lines += `${fields[at]}: ${fields[at + 1]}\r\n`
  return lines
}

/** Without the white space around it. */
function valueBetween(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isWhiteSpace(text.charCodeAt(start))) start++
  while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isWhiteSpace(code: number): boolean {
  return code === SPACE || code === TAB
}

/** Which rule a section breaks of which it is known that it breaks one. */
function faultIn(section: string): RefusalCode {
  for (const line of section.split('\r\n').slice(0, -1)) {
    const fault = faultOf(line)
    if (fault !== undefined) return fault
  }
  return 'field-value-invalid'
}

function faultOf(line: string): RefusalCode | undefined {
  if (line.includes('\r')) return 'carriage-return-bare'
  if (line.includes('\n')) return 'line-feed-bare'
  if (isWhiteSpace(line.charCodeAt(0))) return 'field-folded'
  const colon = line.indexOf(':')
  if (colon < 0) return 'field-colon-missing'
  const name = line.slice(0, colon)
  if (isToken(name)) return /^[\t\x20-\x7e\x80-\xff]*$/.test(line.slice(colon)) ? undefined : 'field-value-invalid'
  return isToken(name.trimEnd()) ? 'field-name-spaced' : 'field-name-invalid'
}
