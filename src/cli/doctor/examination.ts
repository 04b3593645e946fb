import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { BlockList, isIPv6 } from 'node:net'
import { createTransport } from '../../acme/transport.ts'
import { askProgram } from '../../admin/client.ts'
import type { OnDemandCounts } from '../../certificates/on-demand/at-rest.ts'
import type { CertificateReport } from '../../certificates/report.ts'
import type { Config } from '../../config/config.ts'
import { issuersFor } from '../../config/issuers.ts'
import { loadConfig } from '../../config/load.ts'
import { formatProblem } from '../../config/problem.ts'
import { didYouMean } from '../../config/suggestion.ts'
import { examineAuthority } from '../../doctor/authorities.ts'
import { examineCertificate } from '../../doctor/certificates.ts'
import type { Finding } from '../../doctor/finding.ts'
import { examineLimits } from '../../doctor/limits.ts'
import { doorOf, examineListener, examineStorage, interfaceAddresses } from '../../doctor/machine.ts'
import { MomentaryFrontend } from '../../doctor/momentary-frontend.ts'
import { examineName, type NameIssuer, type NameOptions } from '../../doctor/names.ts'
import { examineNotices } from '../../doctor/notices.ts'
import { createHandshake, type Expected, examineServed } from '../../doctor/served.ts'
import { CastellanError } from '../../errors.ts'
import { readAccount } from '../../issuers/acme-account.ts'
import { accountPlace } from '../../issuers/acme-config.ts'
import { standingNotices } from '../../notices/standing-notices.ts'
import { createKnocking } from '../../preflight/knocking.ts'
import { createNameResolver } from '../../preflight/name-resolver.ts'
import { type ProbeAnswer, probe } from '../../preflight/probe.ts'
import { FileReader } from '../../storage/file-reader.ts'
import { formatListenAddress } from '../../supervisor/edge-config.ts'
import { isPublic } from '../../supervisor/issuers.ts'
import type { Clock } from '../../system/clock.ts'
import { lookIn } from '../certs/looking.ts'
import { describeOnDemand } from '../certs/words.ts'
import { lookAtLimits } from '../limits.ts'

export type Examined = { readonly isRunning: boolean; readonly findings: readonly Finding[] }

const IN_ANY_CASE = new AbortController().signal

/** Names and handshakes at a time: name servers and workers have others to serve. */
const AT_ONCE = 8

/**
 * Looks at all there is: over the program that runs, where one does, else at the storage and with the ports for a moment.
 * Nothing is changed. `names` limits what is looked at of names and certificates. Throws CastellanError.
 */
export async function examine(
  { config: file, names }: { readonly config: string; readonly names: readonly string[] },
  clock: Clock,
): Promise<Examined> {
  const { config, warnings } = await loadConfig({ file, env: process.env, isThorough: true })
  const chosen = chooseNames(config, names)
  const { isRunning, reports, onDemand } = await lookIn(config)
  await using frontend = new MomentaryFrontend()
  const ports = isRunning ? await examineListeners(config, clock) : await frontend.take(listeners(config))
  const issuers = new Issuers(config, clock)
  const options: NameOptions = {
    resolver: createNameResolver(),
    lookup: lookUp,
    ownAddresses: interfaceAddresses(),
    probe: isRunning ? overProgram(config, clock) : overFrontend(frontend, clock),
  }
  const aboutNames = await inTurns(chosen, async (name) => examineName(name, await issuers.of(name), options))
  const meant = reports.filter((report) => report.names.some((name) => chosen.includes(name)))
  return {
    isRunning,
    findings: [
      ...warnings.map((warning) => examineWarning(formatProblem(warning))),
      await examineStorage(config.storage.folder),
      ...ports,
      ...(await issuers.findings()),
      ...examineLimits((await lookAtLimits(config)).balances),
      ...examineNotices(await standingNotices(new FileReader(config.storage.folder), clock.now()), chosen),
      ...examineOnDemand(names.length === 0 ? onDemand : undefined),
      ...aboutNames.flat(),
      ...meant.map((report) => examineCertificate(report, clock.now())),
      ...(isRunning ? await examineAllServed(config, expectedOf(meant, chosen), clock) : []),
    ],
  }
}

/** Throws CastellanError `name-unknown`. */
function chooseNames({ sites }: Config, names: readonly string[]): readonly string[] {
  // The site for all others has no name that could lead anywhere.
  const all = sites.filter(({ onDemand }) => onDemand === undefined).flatMap((site) => site.names)
  for (const name of names) {
    if (all.includes(name)) continue
    const hint = didYouMean(name, all) ?? '"castellan certs list" shows those that are.'
    throw new CastellanError('name-unknown', `No site is called ${JSON.stringify(name)}; ${hint}`, { name })
  }
  return names.length === 0 ? all : names
}

/** Of names that come and go with strangers only how many there are: one of them is looked at by `castellan certs show`. */
function examineOnDemand(counts: OnDemandCounts | undefined): Finding[] {
  if (counts === undefined) return []
  return [{ check: 'on demand', subject: '*', level: 'ok', seen: describeOnDemand(counts) }]
}

/** As `castellan validate` has it: the place, and what deserves a second thought there. */
function examineWarning(text: string): Finding {
  const end = text.indexOf(': ')
  return { check: 'config', subject: text.slice(0, end), level: 'warn', seen: text.slice(end + 2) }
}

function listeners({ listen }: Config) {
  const place = (protocol: 'https' | 'http') => (address: Config['listen']['http'][number]) => {
    return { address, protocol, spoken: `${protocol} ${formatListenAddress(address)}` }
  }
  return [...listen.https.map(place('https')), ...listen.http.map(place('http'))]
}

function examineListeners(config: Config, clock: Clock): Promise<Finding[]> {
  return Promise.all(listeners(config).map(({ address, spoken }) => examineListener(address, spoken, clock)))
}

/** The ACME issuers of the names that are looked at, each asked once. */
class Issuers {
  readonly #config: Config
  readonly #clock: Clock
  readonly #asked = new Map<string, ReturnType<typeof examineAuthority>>()

  constructor(config: Config, clock: Clock) {
    this.#config = config
    this.#clock = clock
  }

  /** Those that certify a name; none for one whose certificates an operator brings, or that the internal CA certifies. */
  async of(name: string): Promise<NameIssuer[]> {
    const { sites, storage, issuers } = this.#config
    const site = sites.find((each) => each.names.includes(name))!
    if (site.files.length > 0) return []
    const acme = issuersFor(name, site.issuers).flatMap((issuer) => issuers.get(issuer) ?? [])
    return Promise.all(
      acme.map(async (issuer) => {
        const { directory } = await this.#ask(issuer.name)
        const place = accountPlace({ ...issuer, ...this.#common }, site.name)
        const account = await readAccount(new FileReader(storage.folder), place, issuer.directory)
        const { name: called, challenges } = issuer
        return { issuer: called, directory, accountUrl: account?.url, challenges, isPublic: isPublic(issuer) }
      }),
    )
  }

  async findings(): Promise<Finding[]> {
    return (await Promise.all(this.#asked.values())).flatMap((authority) => authority.findings)
  }

  get #common() {
    const { acceptTerms, contact } = this.#config
    return { acceptTerms, contact }
  }

  #ask(name: string): ReturnType<typeof examineAuthority> {
    const issuer = this.#config.issuers.get(name)!
    const transport = createTransport({ clock: this.#clock, trust: issuer.trust })
    const asking =
      this.#asked.get(name) ??
      examineAuthority({ ...issuer, ...this.#common }, { transport, clock: this.#clock, signal: IN_ANY_CASE })
    this.#asked.set(name, asking)
    return asking
  }
}

async function lookUp(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true }).catch(() => [])
  return [...new Set(found.map(({ address }) => address))]
}

function overFrontend(frontend: MomentaryFrontend, clock: Clock): NameOptions['probe'] {
  if (!frontend.answersHttp) return undefined
  const options = { publisher: frontend, knocking: createKnocking(), clock, randomBytes }
  return (name, addresses) => probe({ name, addresses, challenge: 'http-01' }, options, IN_ANY_CASE)
}

function overProgram({ storage, listen }: Config, clock: Clock): NameOptions['probe'] {
  if (listen.http.length === 0) return undefined
  return async (name, addresses) => {
    const replies = await askProgram(storage.folder, { ask: 'probe', name, addresses }, clock)
    const answers: ProbeAnswer[] = []
    for await (const reply of replies ?? []) if (reply.type === 'probe') answers.push(...reply.answers)
    return answers
  }
}

async function examineAllServed(config: Config, expected: readonly Expected[], clock: Clock): Promise<Finding[]> {
  const door = config.listen.https.map(doorOf).find((each) => each !== undefined)
  if (door === undefined) return []
  const handshake = createHandshake(door, prefaceFor(door, config.listen.proxyProtocolFrom), clock)
  return inTurns(expected, (each) => examineServed(each, handshake))
}

/** For each name and kind of key, all that may be shown: of several RSA keys a client gets the smallest. */
function expectedOf(reports: readonly CertificateReport[], chosen: readonly string[]): Expected[] {
  const held = reports.flatMap(({ names, keyKind, held }) =>
    keyKind === undefined || held === undefined ? [] : [{ names, keyKind, held }],
  )
  return held.flatMap(({ names, keyKind }) =>
    names
      .filter((name) => chosen.includes(name) && !name.startsWith('*.'))
      .map((name) => {
        const family = keyKind.slice(0, keyKind.indexOf('-'))
        const same = held.filter((other) => other.names.includes(name) && other.keyKind.startsWith(family))
        return { name, keyKind, fingerprints: same.map(({ held }) => held.fingerprint) }
      }),
  )
}

/** PROXY header of version 1 that says nothing, where our own connections must have one. */
function prefaceFor(door: ReturnType<typeof doorOf> & object, from: readonly string[]): string {
  const networks = new BlockList()
  for (const network of from.filter((each) => each !== 'unix')) {
    const [address = '', length] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (length === undefined) networks.addAddress(address, family)
    else networks.addSubnet(address, Number(length), family)
  }
  const isFrom = 'path' in door ? from.includes('unix') : networks.check(door.host, isIPv6(door.host) ? 'ipv6' : 'ipv4')
  return isFrom ? 'PROXY UNKNOWN\r\n' : ''
}

async function inTurns<T, R>(all: readonly T[], work: (each: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let start = 0; start < all.length; start += AT_ONCE)
    results.push(...(await Promise.all(all.slice(start, start + AT_ONCE).map(work))))
  return results
}
