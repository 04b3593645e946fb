import { z } from 'zod'
import { fieldValueFormat } from './field-changes.ts'
import { pathPatternFormat, pathPrefixFormat } from './path-pattern.ts'
import { policyKeys } from './policy-schema.ts'
import { Refusal } from './problem.ts'
import { redirectTargetFormat } from './redirect-target.ts'
import { count, distinctList, mapping, text } from './schema-elements.ts'
import { type TextFormat, wordsFormat } from './text-format.ts'
import { upstream } from './upstream-schema.ts'

/** Between 301 and 308, but of no redirect to elsewhere (RFC 9110 §15.4.5). */
const OTHER_CODES = [304, 305, 306]

/** How a redirect is meant (RFC 9110 §15.4). */
export const redirectCode = count({ atLeast: 301, atMost: 308 })
  .refine((code) => !OTHER_CODES.includes(code), { error: () => 'allowed: 301, 302, 303, 307, 308' })
  .describe('Of redirectTo; 308 keeps method and body.')

export const redirectTo = text(redirectTargetFormat).describe('Sends every visitor there, keeping path and query.')

const respondMapping = mapping('respond', {
  status: count({ atLeast: 200, atMost: 599 }).prefault(200).describe('The status code.'),
  body: text(wordsFormat('allowed: text')).optional().describe('The content; 204, 205 and 304 have none.'),
  contentType: text({ ...fieldValueFormat, allowed: 'allowed: a media type, such as text/html' })
    .prefault('text/plain; charset=utf-8')
    .describe('What the content is.'),
})

/** An answer without an app. */
export const respond = z
  .union(
    [count({ atLeast: 200, atMost: 599 }).transform((status) => respondMapping.parse({ status })), respondMapping],
    { error: () => 'allowed: a status code, or a mapping with status, body, contentType' },
  )
  .describe('Answers by itself: a status code, or a mapping with status, body and contentType.')

const METHOD_ALLOWED = 'allowed: a method, such as GET or POST'
const methodFormat: TextFormat<string> = {
  allowed: METHOD_ALLOWED,
  schema: { pattern: '^[A-Za-z-]+$', examples: ['GET', 'POST'] },
  // RFC 9110 §9.1: methods are case-sensitive, and all that are in use are in upper case.
  read: (written) => (/^[A-Za-z-]{1,32}$/.test(written) ? written.toUpperCase() : new Refusal(METHOD_ALLOWED)),
}

const conditions = z
  .record(z.string(), z.union([z.string(), z.number().transform(String), z.literal(true)]), {
    error: () => 'allowed: a mapping of field names to a value, or to true for any',
  })
  .describe('Fields that a request must have: with just this value, or true for any.')

const route = mapping('route', {
  path: text(pathPatternFormat).describe(
    'Which paths: "/files/*" is that path and all below it, * elsewhere one segment. The most specific wins.',
  ),
  methods: distinctList(methodFormat).optional().describe('Only these; GET takes HEAD along.'),
  matchHeaders: conditions.optional(),
  upstream: upstream.optional().describe('Where the app answers.'),
  redirectTo: redirectTo.optional(),
  code: redirectCode.optional(),
  respond: respond.optional(),
  stripPrefix: text(pathPrefixFormat)
    .optional()
    .describe('What the app does not see of the path; it is told in X-Forwarded-Prefix.'),
  ...policyKeys,
})

/** As it stands in the file. */
export type RouteSettings = z.output<typeof route>

export const routes = z
  .array(route, { error: () => 'allowed: a list of mappings with path and one of upstream, redirectTo, respond' })
  .describe("Parts of the site with an app or an answer of their own; what none takes is the site's.")
