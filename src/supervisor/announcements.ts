import type { CertificatesState } from '../certificates/state.ts'
import type { Config } from '../config/config.ts'
import { INTERNAL_ISSUER, issuersFor } from '../config/issuers.ts'
import { connectionsThatFit, maxOpenFiles } from '../edge/resources.ts'
import type { InternalIssuer } from '../issuers/internal.ts'
import type { Log } from '../telemetry/log.ts'
import { formatOrigin } from './edge-config.ts'
import { trustHint } from './trust-hint.ts'

/** More sites than a person reads are counted. */
const MAX_ANNOUNCED = 10

/** What is served from now on. */
export function announce({ sites, listen }: Config, log: Log): void {
  const listed = sites.filter(({ onDemand }) => onDemand === undefined)
  const origins = listed.slice(0, MAX_ANNOUNCED).map(({ name }) => formatOrigin(name, listen))
  const more = listed.length > MAX_ANNOUNCED ? [`${listed.length - MAX_ANNOUNCED} more`] : []
  const others = listed.length < sites.length ? ['other names on demand'] : []
  const last = [...more, ...others].join(' and ')
  const all = [origins.join(', '), last].filter((part) => part !== '').join(' and ')
  log.info('serving', `Serving ${all}.`)
}

/** Workers inherit the limit. */
export function warnOfDescriptors({ limits: { connections } }: Config, log: Log): void {
  const openFiles = maxOpenFiles()
  const fit = connectionsThatFit(connections, openFiles)
  if (fit === connections) return
  const message =
    `This user may have ${openFiles} files open in a process, which is enough for ${fit} connections in each worker, and ` +
    `limits.connections is ${connections}. For more, raise it with "ulimit -n" or systemd's LimitNOFILE.`
  log.warn('descriptors-few', message, { openFiles, connections: fit })
}

/** A name that is served but has no certificate is what a visitor complains of first. */
export function announceWaiting({ waiting }: CertificatesState, log: Log): void {
  const names = [...new Set(waiting.flatMap((each) => each.names))]
  if (names.length === 0) return
  const more = names.length > MAX_ANNOUNCED ? ` and ${names.length - MAX_ANNOUNCED} more` : ''
  const message = `No certificate yet for ${names.slice(0, MAX_ANNOUNCED).join(', ')}${more}: ${waiting[0]!.reason}.`
  log.info('certificates-waiting', message, { names: names.slice(0, MAX_ANNOUNCED) })
}

/** Where the internal CA's certificate is, if a site has one of it. */
export async function announceInternalCa({ sites, listen }: Config, internal: InternalIssuer, log: Log): Promise<void> {
  const site = sites.find(
    ({ name, issuers, files }) => files.length === 0 && issuersFor(name, issuers).includes(INTERNAL_ISSUER),
  )
  if (site === undefined || listen.https.length === 0) return
  const { location } = await internal.rootCertificate()
  for (const sentence of trustHint(location, formatOrigin(site.name, listen)))
    log.info('internal-ca', sentence, { location })
}
