import { z } from 'zod'
import { switchFormat } from './plain-formats.ts'
import { Refusal } from './problem.ts'
import { mapping, refuse, text } from './schema-elements.ts'
import { wordsFormat } from './text-format.ts'

/** What Castellan answers for a site, or an application may. */
const STATUSES = [400, 401, 403, 404, 405, 410, 413, 429, 500, 502, 503, 504]

const ALLOWED = `allowed: off, or a mapping with a file for each of ${STATUSES.join(', ')}, default, and intercept`

const pageFile = text(wordsFormat('allowed: the path of an HTML file', { examples: ['./sorry.html'] })).optional()
const pages = Object.fromEntries(STATUSES.map((status) => [status, pageFile.describe(`The page for ${status}.`)]))

const INTERCEPT_ALLOWED = `allowed: a list of ${STATUSES.join(', ')}`

const errorsMapping = mapping('errors', {
  ...pages,
  default: pageFile.describe('The page for all others.'),
  intercept: z
    .array(
      z.int({ error: () => INTERCEPT_ALLOWED }).refine((status) => STATUSES.includes(status), {
        error: () => INTERCEPT_ALLOWED,
      }),
      { error: () => INTERCEPT_ALLOWED },
    )
    .prefault([])
    .describe('Statuses of the app for which visitors get these pages instead of what it answers.'),
}).transform(({ default: otherwise, intercept, ...others }): ErrorsSettings => {
  const byStatus = Object.entries(others as Record<string, string | undefined>).flatMap(([status, page]) =>
    page === undefined ? [] : [{ status: Number(status), page }],
  )
  return { byStatus, otherwise, intercept }
})

/** As they stand in the file, or with absolute paths of pages that could be read. */
export type ErrorsSettings = {
  readonly byStatus: readonly { readonly status: number; readonly page: string }[]
  readonly otherwise: string | undefined
  readonly intercept: readonly number[]
}

/** Pages for errors that Castellan itself answers. */
export const errors = z
  .union([z.boolean(), text(switchFormat(ALLOWED)), errorsMapping], { error: () => ALLOWED })
  .transform((value, context): false | ErrorsSettings => {
    if (value !== true) return value
    refuse(context, new Refusal(ALLOWED))
    return z.NEVER
  })
  .describe('HTML files for errors that Castellan answers; {status} and {requestId} in them are replaced.')
