import type { Clock } from '../system/clock.ts'
import { escapeControls } from './line-log.ts'

/** `combined` is what nginx and Apache call so; `json` and `text` are those of the log. */
export const accessFormats = ['json', 'text', 'combined'] as const
export type AccessFormat = (typeof accessFormats)[number]

/** One request as it ended. Of one that was refused before it was understood, host, method and target may be unknown. */
export type AccessEntry = {
  readonly client: string
  /** The site that took it, or undefined if none did. */
  readonly site: string | undefined
  readonly host: string | undefined
  readonly method: string | undefined
  /** Path and query as the client sent them. */
  readonly target: string | undefined
  /** `1.0`, `1.1` or `2`. */
  readonly version: string
  /** 0 if the client went away before an answer, or had its stream reset. */
  readonly status: number
  /** Of the response's body. */
  readonly bytes: number
  /** What upstreams know it by, and its client where it failed; undefined if it was refused before it had one. */
  readonly requestId: string | undefined
  /** From its head to the end of the response. */
  readonly durationMs: number
  /** undefined without TLS. */
  readonly tls: { readonly version: string; readonly cipher: string; readonly isResumed: boolean } | undefined
  /** In the first entry of each TLS connection, so that sums are right. */
  readonly handshakeMs: number | undefined
  /** Where it was sent to, or should have been; as the config writes it. */
  readonly upstream: string | undefined
  /** For how long it waited for a connection to the upstream; undefined if one was at hand. */
  readonly connectMs: number | undefined
  /** From its sending to the head of the upstream's response; undefined if there was none. */
  readonly firstByteMs: number | undefined
  /** How often it was sent to the upstream, or should have been; 0 without one. */
  readonly attempts: number
  /** Why it was refused, answered with an error of our own, or broken off: a stable word. */
  readonly why: string | undefined
  /** What was behind it, where that is known: `ECONNREFUSED`. */
  readonly cause: string | undefined
}

/** Takes one entry for each request. `fields` are the request's: name, value, name, value. */
export type AccessLog = (entry: AccessEntry, fields: readonly string[]) => void

type FormatLine = (now: number, entry: AccessEntry, fields: readonly string[]) => string

/** A line for each request. */
export function createAccessLog(format: AccessFormat, clock: Clock, write: (line: string) => void): AccessLog {
  const formatLine = lineFormats[format]
  return (entry, fields) => write(formatLine(clock.now(), entry, fields))
}

const lineFormats: Record<AccessFormat, FormatLine> = { json: jsonLine, text: textLine, combined: combinedLine }

/** By hand: JSON.stringify and a look at all of the line for controls would take 2 us, and this takes 0.5. */
function jsonLine(now: number, entry: AccessEntry): string {
  const { client, site, host, method, target, version, status, bytes, requestId, durationMs, why, cause } = entry
  const siteField = site === undefined ? '' : `,"site":${lastSite.json(site)}`
  return (
    `{"time":"${isoTime(now)}","level":"info","event":"request","client":${lastClient.json(client)}${siteField}` +
    `,"host":${jsonText(host)},"method":${jsonText(method)},"target":${jsonText(target)},"version":"${version}"` +
    `,"status":${status},"bytes":${bytes},"requestId":${jsonText(requestId)}` +
    `,"durationMs":${tenthsText(durationMs)}${tlsFields(entry)}${upstreamFields(entry)}` +
    `${why === undefined ? '' : `,"why":${jsonText(why)}`}${cause === undefined ? '' : `,"cause":${jsonText(cause)}`}}\n`
  )
}

function tlsFields({ tls, handshakeMs }: AccessEntry): string {
  if (tls === undefined) return ''
  const handshakeField = handshakeMs === undefined ? '' : `,"handshakeMs":${tenthsText(handshakeMs)}`
  return `,"tls":"${tls.version}","cipher":"${tls.cipher}","resumed":${tls.isResumed}${handshakeField}`
}

function upstreamFields({ upstream, connectMs, firstByteMs, attempts }: AccessEntry): string {
  if (upstream === undefined) return ''
  const connectField = connectMs === undefined ? '' : `,"connectMs":${tenthsText(connectMs)}`
  const firstByteField = firstByteMs === undefined ? '' : `,"firstByteMs":${tenthsText(firstByteMs)}`
  const attemptsField = attempts <= 1 ? '' : `,"attempts":${attempts}`
  return `,"upstream":${lastUpstream.json(upstream)}${connectField}${firstByteField}${attemptsField}`
}

/** Of a number of tenths, as JSON would write it: from two whole numbers it takes a third of the time. */
function tenthsText(ms: number): string {
  const tenths = Math.round(ms * 10)
  const whole = Math.trunc(tenths / 10)
  return whole * 10 === tenths ? `${whole}` : `${whole}.${tenths - whole * 10}`
}

/** What JSON writes as it is, and no terminal obeys. */
const PLAIN = /^[ !#-[\]-~]*$/

function jsonText(text: string | undefined): string {
  if (text === undefined) return 'null'
  return PLAIN.test(text) ? `"${text}"` : escapeControls(JSON.stringify(text))
}

/** For what is the same in most lines, as the same string. */
class LastText {
  #text: string | undefined
  #json = 'null'

  json(text: string): string {
    if (text !== this.#text) {
      this.#text = text
      this.#json = jsonText(text)
    }
    return this.#json
  }
}

const lastSite = new LastText()
const lastUpstream = new LastText()
const lastClient = new LastText()

let lastNow = Number.NaN
let lastTime = ''

/** Of a busy server, several requests end in the same millisecond. */
function isoTime(now: number): string {
  if (now !== lastNow) {
    lastNow = now
    lastTime = new Date(now).toISOString()
  }
  return lastTime
}

/** What a person at a terminal reads at a glance. */
function textLine(
  now: number,
  { client, host = '-', method = '-', target = '', version, status, bytes, durationMs, why, cause }: AccessEntry,
): string {
  const time = isoTime(now).slice(0, 19)
  const what = escapeControls(`${method} ${host}${target}`)
  const reason = why === undefined ? '' : escapeControls(cause === undefined ? ` ${why}` : ` ${why} (${cause})`)
  return `${time}Z ${status} ${what} HTTP/${version} ${bytes} B ${durationMs.toFixed(1)} ms ${client}${reason}\n`
}

/** `%h - - [%t] "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`: https://httpd.apache.org/docs/2.4/logs.html#combined */
function combinedLine(
  now: number,
  { client, method, target, version, status, bytes }: AccessEntry,
  fields: readonly string[],
): string {
  // As Apache writes what it could not read.
  const request = method === undefined ? '-' : `${method} ${target ?? '-'} HTTP/${version === '2' ? '2.0' : version}`
  const quoted = [request, fieldOf(fields, 'referer'), fieldOf(fields, 'user-agent')].map(quote)
  return `${client || '-'} - - [${combinedTime(now)}] ${quoted[0]} ${status} ${bytes} ${quoted[1]} ${quoted[2]}\n`
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `24/Nov/2026:12:00:00 +0000` */
function combinedTime(now: number): string {
  const iso = isoTime(now)
  return `${iso.slice(8, 10)}/${MONTHS[Number(iso.slice(5, 7)) - 1]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`
}

function fieldOf(fields: readonly string[], name: string): string {
  for (let at = 0; at < fields.length; at += 2) if (fields[at]!.toLowerCase() === name) return fields[at + 1]!
  return '-'
}

/** As nginx escapes: what could end the value or the line, byte by byte; what comes from a request has no other characters. */
function quote(text: string): string {
  const escaped = text.replace(/["\\]|[^ -~]/g, (character) => {
    const byte = character.charCodeAt(0) & 0xff
    return `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
  })
  return `"${escaped}"`
}
