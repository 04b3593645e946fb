import { z } from 'zod'
import { off } from './off.ts'
import { mapping, onOff, text } from './schema-elements.ts'
import { choiceFormat, wordsFormat } from './text-format.ts'

const ALLOWED = 'a mapping with trust, mode, chain'

const clientAuthMapping = mapping('clientAuth', {
  trust: text(wordsFormat('allowed: the path of a file', { examples: ['./clients.pem'] })).describe(
    'PEM: what has signed the certificates of clients, and nothing else.',
  ),
  mode: text(choiceFormat(['require', 'request']))
    .prefault('require')
    .describe('require: 403 without a certificate. request: the app is told of one, if there is one.'),
  chain: onOff().prefault(false).describe('Whether the app gets Client-Cert-Chain besides Client-Cert (RFC 9440).'),
})

const minVersion = z.union(
  [
    text(choiceFormat(['1.2', '1.3'])),
    z.literal(1.2).transform(() => '1.2' as const),
    z.literal(1.3).transform(() => '1.3' as const),
  ],
  {
    error: () => 'allowed: "1.2", "1.3"',
  },
)

/** TLS with clients, of a site or all of them. */
export const tls = mapping('tls', {
  minVersion: minVersion.optional().describe('The oldest version of TLS that clients may speak; 1.2 unless set.'),
  clientAuth: z
    .union([clientAuthMapping, ...off(ALLOWED)], { error: () => `allowed: off, or ${ALLOWED}` })
    .optional()
    .describe('Asks clients for a certificate.'),
}).describe('TLS with clients.')

/** As it stands in the file. */
export type TlsSettings = z.output<typeof tls>
