import { hostname, networkInterfaces } from 'node:os'
import type { ChallengePublisher } from '../challenges/challenge.ts'
import type { Config } from '../config/config.ts'
import type { Issuer } from '../issuers/issuer.ts'
import { CertificateNotices } from '../notices/certificate-notices.ts'
import { createChannels } from '../notices/channels.ts'
import { type Look, type Notices, openNotices } from '../notices/notices.ts'
import { watchStorage } from '../notices/watched-storage.ts'
import { caaFault } from '../preflight/caa.ts'
import { createNameResolver, type NameResolver } from '../preflight/name-resolver.ts'
import { lookAround } from '../preflight/sight.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import { abortable, withDeadline } from '../system/deadline.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { createProbe } from './issuers.ts'

type Surroundings = {
  readonly storage: Storage
  readonly publisher: ChallengePublisher
  /** The one of that name, and whether anybody listens for HTTP: a reload may change both. */
  readonly issuerOf: (name: string) => Issuer | undefined
  readonly listensForHttp: () => boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Of all that is seen: a notice waits for it. */
const LOOK_MS = 20_000

/** The notices of a program, and who turns what the certificates tell into them. Throws StorageError. */
export async function openAttention(
  config: Config,
  surroundings: Surroundings,
): Promise<{ readonly notices: Notices; readonly attention: CertificateNotices }> {
  const { clock } = surroundings
  const machine = hostname()
  const channels = createChannels(config.notify, machine, clock)
  const look = createLook(surroundings)
  const notices = await openNotices({ ...surroundings, channels, look, machine })
  return { notices, attention: new CertificateNotices(notices, clock) }
}

/**
 * The storage, of which the operator hears when it cannot be written. `notices` is asked for late: they are kept in this very
 * storage.
 */
export function tellOfStorage(storage: Storage, notices: () => Notices | undefined): Storage {
  const keyOf = (folder: string): string => `storage/${folder}`
  return watchStorage(storage, {
    failed: (folder, subject, said) => {
      const trouble = { kind: 'storage-unwritable', severity: 'error', names: [], subject, said } as const
      notices()?.raise(keyOf(folder), trouble)
    },
    worked: (folder) => notices()?.withdraw(keyOf(folder)),
  })
}

/** What a CA would see of the names of a certificate that does not come, as far as it can be seen from here. */
function createLook({ issuerOf, listensForHttp, publisher, clock }: Surroundings): Look {
  const resolver = createNameResolver()
  const askProbe = createProbe({ publisher, clock })
  return async ({ kind, names, issuers: asked = [], site }, signal) => {
    const probe = listensForHttp() ? askProbe : undefined
    const issuer = issuerOf(asked[0] ?? '')
    if (kind !== 'certificate-failed' || issuer?.caaSubject === undefined) return []
    const caa = createCaaLook(issuer, site ?? names[0]!, resolver)
    const expired = (): Error => new Error('It takes too long.')
    const sight = { resolver, ownAddresses, probe, caaFault: caa }
    // Name servers are asked by what heeds no signal.
    return withDeadline({ clock, ms: LOOK_MS, signal, expired }, (inTime) =>
      abortable(lookAround(names, sight, inTime), inTime),
    ).catch(() => [])
  }
}

/** Asks the CA once for what all names of a notice need. */
function createCaaLook(issuer: Issuer, site: string, resolver: NameResolver) {
  let subject: ReturnType<NonNullable<Issuer['caaSubject']>> | undefined
  return async (name: string, signal: AbortSignal): Promise<string | undefined> => {
    subject ??= issuer.caaSubject!(site, signal)
    return caaFault(name, await subject, resolver)
  }
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address))
}
