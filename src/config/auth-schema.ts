import { z } from 'zod'
import { durationFormat } from './duration.ts'
import { fieldNameFormat, fieldValueFormat, nameFault } from './field-changes.ts'
import { off } from './off.ts'
import { Refusal } from './problem.ts'
import { list, mapping, onOff, text } from './schema-elements.ts'
import { type TextFormat, wordsFormat } from './text-format.ts'
import { upstreamTls } from './upstream-schema.ts'
import { type UpstreamAddress, upstreamFormat } from './upstream-url.ts'

const HASH_ALLOWED = 'allowed: what castellan hash-password prints, or a bcrypt hash; also as env:NAME or file:PATH'
const USERS_ALLOWED = 'allowed: a mapping of names to password hashes, or file:PATH of lines NAME:HASH (.htpasswd)'

const users = z
  .union(
    [
      text(wordsFormat(USERS_ALLOWED, { examples: ['file:./users.htpasswd'] })),
      z.record(z.string(), text(wordsFormat(HASH_ALLOWED)), { error: () => USERS_ALLOWED }),
    ],
    { error: () => USERS_ALLOWED },
  )
  .describe('Who may come in by name and password: names and the hashes of their passwords.')

/** Where an auth service answers, and for what. */
export type ServiceUrl = { readonly address: UpstreamAddress; readonly target: string }

const URL_ALLOWED = 'allowed: the URL of the auth service, such as http://auth:9000/verify'

const serviceFormat: TextFormat<ServiceUrl> = {
  allowed: URL_ALLOWED,
  schema: { pattern: '^(https?|h2c?)://[^#@\\s]+$', examples: ['http://auth:9000/verify'] },
  read(written) {
    const [, origin, target = ''] = /^([a-z0-9]+:\/\/[^/?#]*)([/?][!-~]*)?$/i.exec(written) ?? []
    if (origin === undefined || target.includes('#')) return new Refusal(URL_ALLOWED)
    const address = upstreamFormat.read(origin)
    if (address instanceof Refusal) return new Refusal(URL_ALLOWED, address.fault ? { fault: address.fault } : {})
    return { address, target: target.startsWith('/') ? target : `/${target}` }
  },
}

const TIMEOUT = '10s'
const timeoutFormat = durationFormat({ atLeast: '100ms', atMost: '10m' })
const standardTimeout = text(timeoutFormat).parse(TIMEOUT)

/** What the app is told by is not what concerns a connection, or what Castellan itself tells it. */
const copiedFormat: TextFormat<string> = {
  ...fieldNameFormat,
  read: (written) => nameFault(written, 'requests') ?? written,
}

const forwardMapping = mapping('auth.forward', {
  to: text(serviceFormat).describe(
    "Who is asked by GET. 2xx lets the request through; any other answer is the client's.",
  ),
  copy: list(copiedFormat, { atLeast: 0 })
    .prefault([])
    .describe(
      'Fields of its answer that the app gets, such as X-User. What clients send under these names is removed.',
    ),
  timeout: text(timeoutFormat).prefault(TIMEOUT).describe('For its answer; 504 after that.'),
  tls: upstreamTls.optional().describe('How its certificate is verified; for https:// and h2:// only.'),
})

/** As they stand in the file; the URL alone is short for `{ to: URL }`. */
export type ForwardSettings = z.output<typeof forwardMapping>

const forward = z
  .union(
    [
      text(serviceFormat).transform((to): ForwardSettings => ({ to, copy: [], timeout: standardTimeout })),
      forwardMapping,
    ],
    {
      error: () => `${URL_ALLOWED}, or a mapping with to and more`,
    },
  )
  .describe('An auth service that is asked about each request.')

const authMapping = mapping('auth', {
  basic: users.optional(),
  realm: text(fieldValueFormat).optional().describe('What browsers call it when they ask; restricted unless set.'),
  passAuthorization: onOff()
    .optional()
    .describe('Whether the app gets Authorization, and thus the passwords; it gets X-Remote-User in any case.'),
  forward: forward.optional(),
})

const ALLOWED = 'a mapping with basic or forward'

export const auth = z
  .union([authMapping, ...off(ALLOWED)], { error: () => `allowed: off, or ${ALLOWED}` })
  .describe('Who is let in: by name and password, or as an auth service says.')

export type AuthSettings = z.output<typeof authMapping>
