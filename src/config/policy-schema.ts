import type { z } from 'zod'
import { concurrencyKeys } from './balancing-schema.ts'
import { compress } from './compress-schema.ts'
import { errors } from './errors-schema.ts'
import { headers } from './field-changes.ts'
import { guardKeys } from './guard-schema.ts'
import { maintenance } from './maintenance-schema.ts'
import { mapping, onOff, text } from './schema-elements.ts'
import { sizeFormat } from './size.ts'

const limits = mapping('site.limits', {
  body: text(sizeFormat({ atLeast: '0B', atMost: '1024GiB' }))
    .optional()
    .describe('The largest body of a request; no bound unless set, as in Caddy (nginx: 1 MiB). Beyond: 413.'),
  ...concurrencyKeys,
}).describe('What its requests may cost.')

/**
 * What a site or a route does to its requests and responses besides answering them. `defaults` have the same keys: a
 * site's own win over those, and a route's own over its site's, key by key.
 */
export const policyKeys = {
  headers: headers.optional(),
  limits: limits.optional(),
  errors: errors.optional(),
  maintenance: maintenance.optional(),
  compress: compress.optional(),
  ...guardKeys,
}

/** As they stand in the file. */
export type PolicySettings = { readonly [Key in keyof typeof policyKeys]?: z.output<(typeof policyKeys)[Key]> }

export const canonicalSwitch = onOff().describe('Sends visitors of the aliases to the first name, with 308.')
