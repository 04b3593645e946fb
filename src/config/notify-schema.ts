import { z } from 'zod'
import { emailFormat } from './plain-formats.ts'
import { mapping, text } from './schema-elements.ts'
import { smtpFormat } from './smtp-url.ts'
import { wordsFormat } from './text-format.ts'

const secretFormat = wordsFormat('allowed: the secret, env:NAME or file:PATH', { examples: ['env:NOTIFY_SECRET'] })

const target = mapping('notify', {
  webhook: text(
    wordsFormat('allowed: an https:// URL, env:NAME or file:PATH', { examples: ['https://hooks.example.com/x'] }),
  )
    .optional()
    .describe('The URL that gets each notice as JSON by POST; env:NAME or file:PATH, where it is a secret itself.'),
  secret: text(secretFormat).optional().describe('Signs what the webhook gets, by HMAC-SHA256.'),
  email: text(emailFormat).optional().describe('Who gets each notice as mail.'),
  smtp: text(smtpFormat).optional().describe('The mail server: smtp://host:587 (STARTTLS) or smtps://host:465.'),
  user: text(wordsFormat('allowed: the name of a user of the mail server'))
    .optional()
    .describe('Who logs in to the mail server.'),
  password: text(secretFormat).optional().describe("That user's password; better env:NAME or file:PATH."),
  from: text(emailFormat)
    .optional()
    .describe('The sender of the mail; the user if that is an address, else the receiver.'),
  trust: text(wordsFormat('allowed: the path of a file', { examples: ['./corp-root.pem'] }))
    .optional()
    .describe("PEM: what may sign the server's certificate, besides the authorities that this machine trusts."),
}).meta({
  oneOf: [
    { type: 'object', properties: { webhook: true }, required: ['webhook'] },
    { type: 'object', properties: { email: true }, required: ['email', 'smtp'] },
  ],
})

const ALLOWED = 'allowed: a list of mappings with webhook, or with email and smtp'

/** Where notices go, as it stands in the file. */
export type NotifySettings = z.output<typeof target>

export const notify = z
  .union([target.transform((single) => [single]), z.array(target, { error: () => ALLOWED })], {
    error: () => ALLOWED,
  })
  .prefault([])
  .describe('Where an operator is told of what does not mend itself, besides the log: once for each thing.')
