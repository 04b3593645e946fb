import { z } from 'zod'
import type { MaintenancePolicy } from '../policy.ts'
import { durationFormat, SECOND_MS } from './duration.ts'
import { networkFormat } from './network.ts'
import { switchFormat } from './plain-formats.ts'
import { list, mapping, onOff, text } from './schema-elements.ts'

const maintenanceMapping = mapping('maintenance', {
  active: onOff().prefault(true).describe('off: only by "castellan maintenance", with what else stands here.'),
  allow: list(networkFormat, { atLeast: 0 })
    .prefault([])
    .describe('Addresses and networks that pass all the same, such as your own, to look at the app.'),
  retryAfter: text(durationFormat({ atLeast: '1s', atMost: '30d' }))
    .prefault('5m')
    .describe('When clients are told to come again.'),
}).transform(
  ({ active, allow, retryAfter }): MaintenancePolicy => ({
    isActive: active,
    allow,
    retryAfterSeconds: Math.ceil(retryAfter / SECOND_MS),
  }),
)

const ALLOWED = 'allowed: on, off, or a mapping with active, allow, retryAfter'

/** Nobody is let in for a while. */
export const maintenance = z
  .union([z.boolean(), text(switchFormat(ALLOWED)), maintenanceMapping], { error: () => ALLOWED })
  .transform((value): false | MaintenancePolicy => (value === true ? maintenanceMapping.parse({}) : value))
  .describe('Answers 503 with Retry-After and the page for it; "castellan maintenance" does so while it runs.')
