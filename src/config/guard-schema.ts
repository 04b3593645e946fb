import { z } from 'zod'
import { auth } from './auth-schema.ts'
import { cors } from './cors-schema.ts'
import { durationFormat } from './duration.ts'
import { fieldNameFormat } from './field-changes.ts'
import { clientNetworkFormat } from './network.ts'
import { off } from './off.ts'
import { Refusal } from './problem.ts'
import { count, list, mapping, text } from './schema-elements.ts'
import { choiceFormat, type TextFormat } from './text-format.ts'

const error = () => clientNetworkFormat.allowed
const deniedNetworks = z.union([list(clientNetworkFormat, { atLeast: 0 }), ...off('a list of networks')], { error })
/** At least one: an empty list says nobody, and whoever has it from a template must not find that it lets everybody in. */
const allowedNetworks = z.union([list(clientNetworkFormat, { atLeast: 1 }), ...off('a list of networks')], { error })

const COOKIE_ALLOWED = 'allowed: the name of a cookie'
const cookieNameFormat: TextFormat<string> = {
  allowed: COOKIE_ALLOWED,
  schema: { examples: ['session'] },
  // RFC 6265 §4.1.1: a token.
  read: (written) => (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(written) ? written : new Refusal(COOKIE_ALLOWED)),
}

const BY_ALLOWED = 'allowed: clientAddress, { header: NAME } or { cookie: NAME }'
const rateKey = z.union(
  [
    text(choiceFormat(['clientAddress'], { allowed: BY_ALLOWED })),
    mapping('rateLimit.by', {
      header: text(fieldNameFormat).optional().describe('The value of this field.'),
      cookie: text(cookieNameFormat).optional().describe('The value of this cookie.'),
    }),
  ],
  { error: () => BY_ALLOWED },
)

const rateLimitMapping = mapping('rateLimit', {
  requests: count({ atLeast: 1, atMost: 1_000_000 }).describe('How many, on the whole.'),
  per: text(durationFormat({ atLeast: '100ms', atMost: '1d' })).describe('In which time.'),
  by: rateKey
    .prefault('clientAddress')
    .describe('Whose requests are counted together; IPv6 addresses by their first 64 bits.'),
  burst: count({ atLeast: 1, atMost: 1_000_000 })
    .optional()
    .describe('How many may come at once; as many as requests unless set.'),
})

const rateLimit = z.union([rateLimitMapping, ...off('a mapping with requests, per, by, burst')], {
  error: () => 'allowed: off, or a mapping with requests, per, by, burst',
})

/** What is asked of clients before they are served. */
export const guardKeys = {
  allow: allowedNetworks.optional().describe('The only client addresses that are served; 403 to all others.'),
  deny: deniedNetworks.optional().describe('Client addresses that are not served, even if allowed: 403.'),
  rateLimit: rateLimit.optional().describe('How many requests a client may make; 429 beyond.'),
  cors: cors.optional(),
  auth: auth.optional(),
}

/** As they stand in the file. */
export type GuardSettings = { readonly [Key in keyof typeof guardKeys]?: z.output<(typeof guardKeys)[Key]> }

export type RateLimitSettings = z.output<typeof rateLimitMapping>
