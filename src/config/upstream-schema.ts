import { z } from 'zod'
import { durationFormat } from './duration.ts'
import { canonicalIp } from './ip-address.ts'
import { Refusal } from './problem.ts'
import { mapping, onOff, text } from './schema-elements.ts'
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

const upstreamMapping = mapping(
  'upstream',
  {
    to: text(upstreamFormat).describe('The URL of the app.'),
    timeouts: timeouts.prefault({}).describe('How long it may take.'),
    tls: upstreamTls.optional().describe('How its certificate is verified; for https:// and h2:// only.'),
    proxyProtocol: text(choiceFormat(['v1', 'v2']))
      .optional()
      .describe('Tells it who the client is by a PROXY protocol header. Its connections are then shared by nobody.'),
  },
  { later: ['balance', 'health', 'retries'] },
)

/** An upstream's settings as they stand in the file; the URL alone is short for `{ to: URL }`. */
export type UpstreamSettings = z.output<typeof upstreamMapping>

const standardTimeouts = timeouts.parse({})

/** The URL alone, wherever one stands for an upstream. */
export const upstreamUrl = text(upstreamFormat).transform(
  (to): UpstreamSettings => ({ to, timeouts: standardTimeouts }),
)

export const upstream = z.union([upstreamUrl, upstreamMapping], {
  error: ({ input }) => upstreamFormat.otherwise?.(input) ?? `${upstreamFormat.allowed}, or a mapping with to`,
})
