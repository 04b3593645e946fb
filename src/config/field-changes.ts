import { z } from 'zod'
import { Refusal } from './problem.ts'
import { list, mapping, text } from './schema-elements.ts'
import type { TextFormat } from './text-format.ts'

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** What is about one connection or the framing of a message (RFC 9110 §7.6.1), and is the codecs' business. */
const CONNECTION_FIELDS = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What applications believe of the proxy in front of them; `listen.trustedProxies` says whom we believe. */
const FORWARDING_FIELD =
  /^(?:forwarded|via|client[-_.]cert(?:[-_.]chain)?|x[-_.]real[-_.]ip|x[-_.]request[-_.]id|x[-_.]forwarded[-_.].*)$/

const NAME_ALLOWED = 'allowed: the name of a field, such as X-Frame-Options'

export const fieldNameFormat: TextFormat<string> = {
  allowed: NAME_ALLOWED,
  schema: { pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", examples: ['X-Frame-Options'] },
  read: (written) => (TOKEN.test(written) ? written : new Refusal(NAME_ALLOWED)),
}

const VALUE_ALLOWED = 'allowed: a value of visible characters, spaces and tabs between them'

/** RFC 9110 §5.5, without obs-text: what a field value may be in all versions of HTTP. */
const VALUE = /^$|^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/

export const fieldValueFormat: TextFormat<string> = {
  allowed: VALUE_ALLOWED,
  schema: {},
  read: (written) => (VALUE.test(written) ? written : new Refusal(VALUE_ALLOWED)),
  otherwise: () => `put it in quotes to make it text; ${VALUE_ALLOWED}`,
}

/** Numbers and switches are text in a field. */
const fieldValue = z.union([text(fieldValueFormat), z.number().transform(String), z.boolean().transform(String)], {
  error: () => VALUE_ALLOWED,
})

function fields(of: 'requests' | 'responses') {
  return z
    .record(z.string(), fieldValue, { error: () => 'allowed: a mapping of field names to values' })
    .superRefine((values, context) => {
      for (const name of Object.keys(values)) {
        const fault = nameFault(name, of)
        if (fault === undefined) continue
        context.addIssue({ code: 'custom', message: NAME_ALLOWED, params: { refusal: fault }, path: [name] })
      }
    })
    .transform((values): string[] => Object.entries(values).flat())
}

/** Why a field may not be set on requests or responses: its name is none, or it is set by ourselves. */
export function nameFault(name: string, of: 'requests' | 'responses'): Refusal | undefined {
  const folded = name.toLowerCase()
  if (!TOKEN.test(name)) return new Refusal(NAME_ALLOWED, { found: `${JSON.stringify(name)} is no name of a field` })
  if (CONNECTION_FIELDS.has(folded))
    return new Refusal('remove it', { found: 'it is about one connection or the framing, which Castellan sees to' })
  if (of === 'requests' && FORWARDING_FIELD.test(folded))
    return new Refusal('see listen.trustedProxies, forwarded and via', { found: 'Castellan itself sets it' })
  if (of === 'responses' && folded === 'strict-transport-security')
    return new Refusal('use hsts', { found: 'it has a setting of its own, which warns of what it does' })
  return undefined
}

function changes(of: 'requests' | 'responses') {
  return mapping(`headers.${of}`, {
    set: fields(of).prefault({}).describe('In place of what is there of the same name.'),
    add: fields(of).prefault({}).describe('Besides what is there of the same name.'),
    remove: list(fieldNameFormat, { atLeast: 0 }).prefault([]).describe('Names of fields that are taken away.'),
  })
}

/** Changes to the fields of requests and responses. */
export const headers = mapping('headers', {
  request: changes('requests').optional().describe('Before the app sees them. Host may be set, too.'),
  response: changes('responses')
    .optional()
    .describe('Before the client sees them, those of Castellan itself included.'),
}).describe('Fields of requests and responses that are set, added and removed.')
