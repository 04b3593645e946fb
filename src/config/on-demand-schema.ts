import { isIP } from 'node:net'
import type { z } from 'zod'
import { durationFormat } from './duration.ts'
import { networkFormat } from './network.ts'
import { Refusal } from './problem.ts'
import { count, list, mapping, refuse, text } from './schema-elements.ts'
import { siteNameFormat } from './site-name.ts'
import type { TextFormat } from './text-format.ts'

const ASK_ALLOWED = 'allowed: an http:// or https:// URL, such as "http://localhost:6001/may-i"'

/** Who is asked whether a name may have a certificate. A query of its own stays in front of what is added. */
const askFormat: TextFormat<string> = {
  allowed: ASK_ALLOWED,
  schema: { pattern: '^https?://\\S+$', examples: ['http://localhost:6001/may-i'] },
  read(written) {
    const url = URL.parse(written)
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return new Refusal(ASK_ALLOWED)
    if (url.username !== '' || url.password !== '')
      return new Refusal(ASK_ALLOWED, { fault: 'which has a user name or a password' })
    if (url.hash !== '') return new Refusal(ASK_ALLOWED, { fault: 'which has a fragment, and that is sent to nobody' })
    return url.href
  },
}

/** A name, or a wildcard for one label. No CA is asked on demand for an address. */
const allowFormat: TextFormat<string> = {
  allowed: siteNameFormat.allowed,
  schema: { examples: ['*.customers.example'] },
  read(written) {
    const name = siteNameFormat.read(written)
    if (typeof name === 'string' && isIP(name) !== 0)
      return new Refusal(siteNameFormat.allowed, { fault: 'but an address is never certified on demand' })
    return name
  },
}

const addressFormat: TextFormat<string> = {
  ...networkFormat,
  allowed: 'allowed: an address or a network of your own, such as "203.0.113.7" or "2001:db8::/64"',
  read(written) {
    const network = networkFormat.read(written)
    if (network !== 'unix') return network
    return new Refusal(addressFormat.allowed)
  },
}

/** More than anybody gets from a CA: a typing error. */
const MAX_PER_HOUR = 1_000_000

const perHour = (preset: number) => count({ atLeast: 1, atMost: MAX_PER_HOUR }).prefault(preset)

const perHourMapping = mapping('onDemand.perHour', {
  names: perHour(100).describe(
    "New names in all. Let's Encrypt takes 300 orders in 3 hours, and each kind of key is one.",
  ),
  namesPerDomain: perHour(20).describe('New names of one registered domain (shop.co.uk), by the public suffix list.'),
  namesPerAddress: perHour(20).describe('New names that one client address (IPv6: its /64) comes with, let in or not.'),
  questions: perHour(3600).describe('Questions to ask, refusals included.'),
})

const MAX_WAITING = 10_000

/** What the site "*" needs: who may have a certificate, and what that may cost. */
export const onDemand = mapping('onDemand', {
  ask: text(askFormat)
    .optional()
    .describe('Asked by GET with ?name=…&address=…: 200 is yes, 4xx is no. It has 5 s, and is not followed elsewhere.'),
  allow: list(allowFormat, { atLeast: 1 })
    .optional()
    .describe('Names that need not be asked about, such as "*.customers.example": one label for the asterisk.'),
  addresses: list(addressFormat, { atLeast: 1 })
    .optional()
    .describe(
      'Where this machine is reached: only names that lead here, and nowhere else, are let in. Any, unless set.',
    ),
  wait: text(durationFormat({ atLeast: '1s', atMost: '5m' }))
    .prefault('20s')
    .describe("How long a handshake waits for a name's first certificate, or for leave to have one."),
  waiting: count({ atLeast: 1, atMost: MAX_WAITING })
    .prefault(100)
    .describe(
      'Handshakes that wait at a time, in each worker, and names that are ordered at a time; others are refused.',
    ),
  refusedFor: text(durationFormat({ atLeast: '1s', atMost: '1d' }))
    .prefault('10m')
    .describe('How long a refusal counts, unless the answer says otherwise (Cache-Control: max-age).'),
  keepFor: text(durationFormat({ atLeast: '1d', atMost: '3650d' }))
    .prefault('30d')
    .describe('Names that nobody asks for so long are not renewed any more, and archived when their certificate ends.'),
  perHour: perHourMapping.prefault({}).describe('What names that are new may cost.'),
}).superRefine(({ ask, allow }, context) => {
  const allowed = 'give ask, a URL that says who may have a certificate, or allow, a list of names'
  if (ask === undefined && allow === undefined)
    refuse(context, new Refusal(allowed, { fault: 'which lets anybody have certificates issued without end' }))
})

/** The site's `onDemand` as it stands in the file. */
export type OnDemandSettings = z.output<typeof onDemand>
