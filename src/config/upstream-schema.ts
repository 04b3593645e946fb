import { z } from 'zod'
import { balance, concurrencyKeys, health, retries, sticky } from './balancing-schema.ts'
import { durationFormat } from './duration.ts'
import { canonicalIp } from './ip-address.ts'
import { Refusal } from './problem.ts'
import { count, mapping, onOff, text } from './schema-elements.ts'
import { isHostName } from './site-name.ts'
import { choiceFormat, type TextFormat, wordsFormat } from './text-format.ts'
import { upstreamFormat } from './upstream-url.ts'

const SERVER_NAME_ALLOWED = 'allowed: a name or an IP address that its certificate has, such as "backend.internal"'

/** What a certificate can be verified by: read as lower-case ASCII, or as an IP address without brackets. */
const serverNameFormat: TextFormat<string> = {
  allowed: SERVER_NAME_ALLOWED,
  schema: { examples: ['backend.internal'] },
  read(written) {
    const name = canonicalIp(written) ?? written.toLowerCase()
    return canonicalIp(written) !== undefined || isHostName(name) ? name : new Refusal(SERVER_NAME_ALLOWED)
  },
}

/** An app may be slow, but within a day somebody has given up. */
const patience = (preset: string) => text(durationFormat({ atLeast: '100ms', atMost: '1d' })).prefault(preset)

const timeouts = mapping('upstream.timeouts', {
  connect: patience('5s').describe('To establish a connection, TLS included.'),
  firstByte: patience('60s').describe('From the end of the request to the head of the response.'),
  idle: patience('5m').describe('A pause within a response. Event streams should say something more often.'),
})

export const upstreamTls = mapping('upstream.tls', {
  trust: text(wordsFormat('allowed: the path of a file', { examples: ['./backend-ca.pem'] }))
    .optional()
    .describe('PEM: what may have signed its certificate, besides the authorities that this machine trusts.'),
  serverName: text(serverNameFormat)
    .optional()
    .describe('The name that it is asked for and that its certificate must have; the host of its URL unless set.'),
  verify: onOff()
    .prefault(true)
    .describe('off: whatever certificate it shows is taken, and so is that of anybody on the way.'),
})

const TARGETS_ALLOWED = 'allowed: a URL, or a list of URLs and of { url: URL, weight: N }'

const weighted = mapping('upstream.to', {
  url: text(upstreamFormat).describe('One of the addresses.'),
  weight: count({ atLeast: 1, atMost: 1_000 }).prefault(1).describe('How much it gets, compared with the others.'),
})

const plainTarget = text(upstreamFormat).transform((url) => ({ url, weight: 1 }))
const target = z.union([plainTarget, weighted], {
  error: ({ input }) => upstreamFormat.otherwise?.(input) ?? TARGETS_ALLOWED,
})

/** Far beyond is a list for a machine that makes lists. */
const MAX_TARGETS = 1_000

const targets = z.union(
  [
    text(upstreamFormat).transform((url) => [{ url, weight: 1 }]),
    z
      .array(target)
      .min(1, { error: () => `at least one is needed; ${TARGETS_ALLOWED}` })
      .max(MAX_TARGETS, { error: () => `at most ${MAX_TARGETS} are taken; ${TARGETS_ALLOWED}` }),
  ],
  {
    error: ({ input }) =>
      input === undefined ? upstreamFormat.allowed : (upstreamFormat.otherwise?.(input) ?? TARGETS_ALLOWED),
  },
)

const upstreamMapping = mapping('upstream', {
  to: targets.describe('The URL of the app, or a list of them: URLs, or { url: URL, weight: N }.'),
  resolve: text(choiceFormat(['one', 'all']))
    .prefault('one')
    .describe('all: every address that a name in to has counts as one of its own; looked up every 10 s.'),
  balance: balance.prefault('leastRequests'),
  sticky: sticky.optional(),
  health: health.optional(),
  retries,
  limits: mapping('upstream.limits', concurrencyKeys).optional().describe('What each address takes on.'),
  timeouts: timeouts.prefault({}).describe('How long it may take.'),
  tls: upstreamTls.optional().describe('How its certificate is verified; for https:// and h2:// only.'),
  proxyProtocol: text(choiceFormat(['v1', 'v2']))
    .optional()
    .describe('Tells it who the client is by a PROXY protocol header. Its connections are then shared by nobody.'),
})

/** An upstream's settings as they stand in the file; the URL alone is short for `{ to: URL }`. */
export type UpstreamSettings = z.output<typeof upstreamMapping>

/** Of an upstream of which nothing else is said. The address is anybody's: it is replaced. */
const standard = upstreamMapping.parse({ to: 'http://localhost' })

/** The URL alone, wherever one stands for an upstream. */
export const upstreamUrl = text(upstreamFormat).transform(
  (url): UpstreamSettings => ({ ...standard, to: [{ url, weight: 1 }] }),
)

export const upstream = z.union([upstreamUrl, upstreamMapping], {
  error: ({ input }) =>
    Array.isArray(input)
      ? 'several addresses go into a mapping: { to: [URL, URL] }'
      : (upstreamFormat.otherwise?.(input) ?? `${upstreamFormat.allowed}, or a mapping with to`),
})
