import { z } from 'zod'
import type { Cors } from '../guards.ts'
import { durationFormat, SECOND_MS } from './duration.ts'
import { fieldNameFormat } from './field-changes.ts'
import { off } from './off.ts'
import { Refusal } from './problem.ts'
import { list, mapping, onOff, refuse, text } from './schema-elements.ts'
import { choiceFormat, type TextFormat } from './text-format.ts'

const ORIGIN_ALLOWED = 'allowed: "*", or origins such as https://app.example.com or "https://*.example.com"'

/** As browsers write it in Origin (RFC 6454 §6.2): lower case, no port that is usual. `*` stands for one label. */
const originFormat: TextFormat<string> = {
  allowed: ORIGIN_ALLOWED,
  schema: { pattern: '^(\\*|[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\\s]+/?)$', examples: ['https://app.example.com'] },
  read(written) {
    if (written === '*') return written
    if (written === 'null')
      return new Refusal(ORIGIN_ALLOWED, { fault: 'which anybody can be: it is the origin of every sandboxed frame' })
    const [, scheme, wildcard = '', host] = /^([a-z][a-z0-9+.-]*):\/\/(\*\.)?([^/?#@*\s\\%]+)\/?$/i.exec(written) ?? []
    const url = scheme === undefined ? null : URL.parse(`${scheme}://${host}`)
    if (url === null || url.host === '') return new Refusal(ORIGIN_ALLOWED)
    return `${url.protocol}//${wildcard}${url.host.toLowerCase()}`
  },
}

const methodFormat: TextFormat<string> = {
  allowed: 'allowed: a method, such as GET',
  schema: { pattern: '^[A-Za-z-]+$', examples: ['GET', 'POST'] },
  read: (written) =>
    /^[A-Za-z-]{1,32}$/.test(written) ? written.toUpperCase() : new Refusal('allowed: a method, such as GET'),
}

const corsMapping = mapping('cors', {
  origins: list(originFormat, { atLeast: 1 }).describe(
    'Whose pages may read answers: origins, with "*" for one label of the host; or "*" for everybody\'s.',
  ),
  methods: list(methodFormat, { atLeast: 1 })
    .prefault(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
    .describe('What they may ask by.'),
  headers: z
    .union([text(choiceFormat(['*'])).transform(() => undefined), list(fieldNameFormat, { atLeast: 0 })], {
      error: () => 'allowed: names of fields, or "*" for any',
    })
    .optional()
    .describe('Which fields they may set; any unless set.'),
  exposeHeaders: list(fieldNameFormat, { atLeast: 0 })
    .prefault([])
    .describe('Which fields of answers they may read, besides the usual ones.'),
  credentials: onOff().prefault(false).describe('Whether cookies and logins go along. Not with the origin "*".'),
  maxAge: text(durationFormat({ atLeast: '0s', atMost: '1d' }))
    .prefault('1h')
    .describe('How long browsers need not ask again. Chromium asks after two hours anyway.'),
}).transform(({ origins, headers, maxAge, ...rest }, context): Cors => {
  const isAny = origins.includes('*')
  if (isAny && rest.credentials)
    refuse(context, new Refusal('name the origins', { found: 'every page of the web could act as your visitors' }), [
      'credentials',
    ])
  return { ...rest, headers, origins: isAny ? '*' : origins, maxAgeSeconds: Math.floor(maxAge / SECOND_MS) }
})

const ALLOWED = 'a mapping with origins, methods, headers, exposeHeaders, credentials, maxAge'

export const cors = z
  .union([corsMapping, ...off(ALLOWED)], { error: () => `allowed: off, or ${ALLOWED}` })
  .describe('Which pages of other origins may use it (CORS); in place of what the app says. Preflights are answered.')
