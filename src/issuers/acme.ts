import type { Account } from '../acme/account.ts'
import { AcmeError } from '../acme/acme-error.ts'
import { AuthorizationError, type AuthorizationFailure } from '../acme/authorization.ts'
import { badNamesOf } from '../acme/bad-names.ts'
import type { IssuedChain } from '../acme/certificate.ts'
import { AcmeClient } from '../acme/client.ts'
import type { Directory } from '../acme/directory.ts'
import { type Issuance, obtain } from '../acme/issuance.ts'
import { accountKey } from '../acme/jws.ts'
import { NoncePool } from '../acme/nonces.ts'
import { isProblem } from '../acme/problem.ts'
import { quote } from '../acme/quote.ts'
import { getRenewalInfo, type RenewalInfo, renewalIdentifier } from '../acme/renewal-info.ts'
import { revokeCertificate } from '../acme/revocation.ts'
import { createTransport, type Transport } from '../acme/transport.ts'
import type { ChallengePublisher } from '../challenges/challenge.ts'
import { type Certificate, checkIssued } from '../pki/certificate.ts'
import { createCertificateRequest } from '../pki/certificate-request.ts'
import { exportPrivateKey, generateKey, importPrivateKey, isSameKey } from '../pki/keys.ts'
import { canonicalName } from '../pki/subject-names.ts'
import type { CaaSubject } from '../preflight/caa.ts'
import { type AskProbe, lookBefore } from '../preflight/look.ts'
import type { NameResolver } from '../preflight/name-resolver.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { castellanVersion } from '../version.ts'
import { AcmeAccounts } from './acme-account.ts'
import { AcmeAccountsCare } from './acme-accounts-care.ts'
import { type AcmeIssuerConfig, accountPlace, acmeIdentity, externalAccountOf } from './acme-config.ts'
import { ChallengeProver } from './acme-prover.ts'
import { isAboutProfile, isAboutTheNumber, tooManyNames } from './acme-refusals.ts'
import { mayStillCome, UnfinishedOrders } from './acme-unfinished.ts'
import type {
  CaFacts,
  CertificateRequest,
  IssuedCertificate,
  Issuer,
  IssuerAccounts,
  Revocation,
  Spending,
} from './issuer.ts'
import { NameQueue } from './name-queue.ts'
import { SharedUse } from './shared-use.ts'

/** Boulder takes seconds, slow private CAs a minute or two. Who needs longer than this is asked anew, later. */
const ORDER_DEADLINE_MS = 10 * 60_000

const USER_AGENT = `castellan/${castellanVersion} node/${process.versions.node}`

export type AcmeIssuerSurroundings = {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly publisher: ChallengePublisher
  /** For a look before the CA is asked; only where that is a public one, which sees the names as we do. */
  readonly resolver?: NameResolver | undefined
  /** Besides, who answers at the names: before their first order, and where the resolver looks at all. */
  readonly probe?: AskProbe | undefined
  /** HTTPS over node's own client unless given. */
  readonly transport?: Transport
  /** pki's unless given. */
  readonly generateKey?: typeof generateKey
}

/**
 * An issuer that gets certificates by RFC 8555. It asks nothing of the CA before the first certificate is wanted. Throws
 * AcmeError `external-account-invalid`.
 */
export function createAcmeIssuer(config: AcmeIssuerConfig, surroundings: AcmeIssuerSurroundings): Issuer {
  return new AcmeIssuer(config, surroundings)
}

class AcmeIssuer implements Issuer {
  readonly name: string
  readonly authority: string
  readonly settings: string
  readonly accountFor: (site: string) => string
  readonly accounts: IssuerAccounts
  readonly #config: AcmeIssuerConfig
  readonly #surroundings: AcmeIssuerSurroundings
  readonly #transport: Transport
  readonly #generateKey: typeof generateKey
  readonly #accounts: AcmeAccounts
  readonly #nonces = new NoncePool()
  readonly #queue = new NameQueue()
  /** The places of accounts that were used, and of those that were made and not yet told of. */
  readonly #known = new Set<string>()
  readonly #made = new Set<string>()
  readonly #unfinished: UnfinishedOrders
  readonly #use = new SharedUse()

  constructor(config: AcmeIssuerConfig, surroundings: AcmeIssuerSurroundings) {
    const { acceptTerms, contact, accountKey: keyKind } = config
    const { storage, log, clock } = surroundings
    const { name, authority, settings } = acmeIdentity(config)
    this.accountFor = (site) => accountPlace(config, site)
    this.name = name
    this.authority = authority
    this.settings = settings
    this.#config = config
    this.#surroundings = surroundings
    this.#unfinished = new UnfinishedOrders(name, surroundings)
    this.#transport = surroundings.transport ?? createTransport({ clock, trust: config.trust })
    this.#generateKey = surroundings.generateKey ?? generateKey
    const registration = { acceptTerms, contact, externalAccount: externalAccountOf(config) }
    const onRegistered = (place: string): void => void this.#made.add(place)
    const onDeactivated = (place: string): void => void this.#known.delete(place)
    const keys = { keyKind, generateKey: this.#generateKey }
    this.#accounts = new AcmeAccounts({ storage, log, ...keys, registration, onRegistered, onDeactivated })
    const connect = (signal: AbortSignal): Promise<AcmeClient> => this.#connect(signal)
    this.accounts = new AcmeAccountsCare({ issuer: name, storage, accounts: this.#accounts, use: this.#use, connect })
  }

  hasAccount(site: string): boolean {
    return this.#known.has(this.accountFor(site))
  }

  /**
   * Orders that share a name run one after the other: Boulder would give two of the same names one and the same order, and
   * two answers to tls-alpn-01 cannot stand for one name.
   */
  issue(request: CertificateRequest, signal: AbortSignal): Promise<IssuedCertificate> {
    const names = [...new Set(request.names.map(canonicalName))]
    const work = (): Promise<IssuedCertificate> => this.#issue({ ...request, names }, signal)
    return this.#queue
      .run(names, signal, () => this.#use.share(signal, work))
      .catch((error: unknown) => {
        if (error instanceof AcmeError && error.badNames.length === 0) error.badNames = badNamesOf(error, names)
        throw isAboutTheNumber(error, names) ? tooManyNames(this.name, names.length, error) : error
      })
  }

  /** By the account, or else by the certificate's own key: it may have come through another account. */
  async revoke({ certificate, privateKey, site, reason }: Revocation, signal: AbortSignal): Promise<void> {
    const client = await this.#connect(signal)
    const what = { certificate: certificate.x509.raw, reason }
    await this.#use.share(signal, async () => {
      try {
        const account = await this.#accounts.existing(client, accountPlace(this.#config, site), signal)
        await revokeCertificate(client, account, what, signal)
      } catch (error) {
        if (!(error instanceof AcmeError) || error.transient) throw error
        const key = await accountKey(importPrivateKey(privateKey))
        await revokeCertificate(client, { key }, what, signal)
      }
    })
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#connect(signal)
  }

  async renewalInfo(certificate: Certificate, signal: AbortSignal): Promise<RenewalInfo | undefined> {
    const identifier = renewalIdentifier(certificate)
    if (identifier === undefined) return undefined
    const client = await this.#connect(signal)
    return client.directory.renewalInfo === undefined ? undefined : getRenewalInfo(client, identifier, signal)
  }

  async caaSubject(site: string, signal: AbortSignal): Promise<CaaSubject> {
    const client = await this.#connect(signal)
    const { url } = await this.#accounts.get(client, accountPlace(this.#config, site), signal)
    return { identities: client.directory.caaIdentities, accountUrl: url, challenges: this.#config.challenges }
  }

  async #issue(
    { names, keyKind, site, predecessor, isInsistent = false, mustStaple = false, spending }: CertificateRequest,
    signal: AbortSignal,
  ): Promise<IssuedCertificate> {
    const client = await this.#connect(signal)
    const profile = this.#chooseProfile(client)
    const place = accountPlace(this.#config, site ?? names[0]!)
    const account = await this.#accounts.get(client, place, signal)
    this.#known.add(place)
    if (this.#made.delete(place)) spending?.accountMade()
    if (!isInsistent) await this.#lookBefore(names, client, account, predecessor === undefined)
    const subject = { names, keyKind, mustStaple, profile, account: account.url }
    const unfinished = await this.#unfinished.find(subject)
    const { privateKey } = unfinished ?? (await this.#generateKey(keyKind))
    if (isSameKey(privateKey, account.key.privateKey)) throw accountKeyReused(names)
    const csr = await createCertificateRequest({ names, privateKey, mustStaple })
    const order = {
      names,
      profile,
      // RFC 9773 §5: only to CAs that know of it.
      replaces:
        predecessor === undefined || client.directory.renewalInfo === undefined
          ? undefined
          : renewalIdentifier(predecessor),
      csr,
      preferredChain: this.#config.preferredChain,
      check: (chain: IssuedChain['certificates']) =>
        checkIssued(chain, { privateKey, names, now: this.#surroundings.clock.now() }),
      resumes: unfinished?.url,
      onFinalize: (url: string) => this.#unfinished.keep(subject, { url, privateKey }),
      deadlineMs: ORDER_DEADLINE_MS,
      announce: spending && ((isReplacement: boolean) => spending.ordering(isReplacement)),
      retract: spending && (() => spending.orderLost()),
    }
    const chain = await this.#obtain(client, account, order, spending, signal)
      .catch(async (error) => {
        const anew = { ...order, resumes: undefined }
        if (isProblem(error, 'accountDoesNotExist')) {
          const replaced = await this.#accounts.replace(client, place, account, signal)
          if (this.#made.delete(place)) spending?.accountMade()
          return this.#obtain(client, replaced, anew, spending, signal)
        }
        if (profile === undefined || !isAboutProfile(error)) throw error
        this.#passOverProfile(client, profile, 'profile-refused', error.message)
        return this.#obtain(client, account, { ...anew, profile: undefined }, spending, signal)
      })
      .catch(async (error) => {
        if (!signal.aborted && !mayStillCome(error)) await this.#unfinished.forget(subject)
        throw error
      })
    await this.#unfinished.forget(subject)
    this.#logReceived(client, names, chain)
    return { chain: chain.pem, privateKey: exportPrivateKey(privateKey), said: factsOf(client.directory, profile) }
  }

  /** Throws AcmeError `names-hopeless`. */
  async #lookBefore(
    names: readonly string[],
    { directory, server }: AcmeClient,
    { url }: Account,
    isFirst: boolean,
  ): Promise<void> {
    const { resolver, probe } = this.#surroundings
    if (resolver === undefined) return
    const { challenges } = this.#config
    const subject = { identities: directory.caaIdentities, accountUrl: url, challenges }
    const faults = await lookBefore(names, subject, resolver, isFirst ? probe : undefined)
    if (faults.length === 0) return
    const sentence = `The CA at ${server} was not asked: ${faults.map(({ reason }) => reason).join('; ')}.`
    throw new AcmeError('names-hopeless', sentence, { server, names }, { badNames: faults })
  }

  /** One order, and one more for each further challenge type that may do where the ones before have failed. */
  async #obtain(
    client: AcmeClient,
    account: Account,
    order: Omit<Issuance, 'prover'>,
    spending: Spending | undefined,
    signal: AbortSignal,
  ): Promise<IssuedChain> {
    const { challenges } = this.#config
    const prover = new ChallengeProver({ ...this.#surroundings, challenges })
    const failures: AuthorizationFailure[] = []
    for (let orders = 1; ; orders++) {
      try {
        const resumes = orders === 1 ? order.resumes : undefined
        return await obtain(client, account, { ...order, resumes, prover }, signal)
      } catch (error) {
        if (!(error instanceof AuthorizationError)) throw error
        failures.push(...error.failures)
        spending?.authorizationsFailed(error.failures.filter(wasTried).map(({ name }) => name))
        const hopeless = !prover.learn(error.failures) || orders === challenges.length
        if (hopeless) throw new AuthorizationError(client.server, failures)
        this.#surroundings.log.warn('challenge-failed', `${error.message} The next type is tried.`, error.facts)
      }
    }
  }

  #connect(signal: AbortSignal): Promise<AcmeClient> {
    const { clock, random, log } = this.#surroundings
    const directoryUrl = this.#config.directory
    const options = { directoryUrl, transport: this.#transport, nonces: this.#nonces, userAgent: USER_AGENT }
    return AcmeClient.connect({ ...options, clock, random, log }, signal)
  }

  /** The profile wanted, if the CA has it; undefined leaves the choice to the CA. */
  #chooseProfile(client: AcmeClient): string | undefined {
    const { directory } = client
    const { profile } = this.#config
    if (profile === undefined || directory.profiles.includes(profile.name)) return profile?.name
    const offered = directory.profiles.map((name) => quote(name, 40))
    const list = offered.length === 0 ? 'none' : offered.join(', ')
    const sentence = `The CA at ${client.server} does not offer the profile “${profile.name}”; it offers ${list}.`
    this.#passOverProfile(client, profile.name, 'profile-not-offered', sentence)
    return undefined
  }

  /** Throws AcmeError `profile-not-offered` where it is required. */
  #passOverProfile(
    { log }: AcmeClient,
    profile: string,
    event: 'profile-not-offered' | 'profile-refused',
    sentence: string,
  ): void {
    const facts = { issuer: this.name, profile }
    if (this.#config.profile?.required === true) throw new AcmeError('profile-not-offered', sentence, facts)
    log.warn(event, `${sentence} The order goes without.`, facts)
  }

  #logReceived({ server, log }: AcmeClient, names: readonly string[], { certificates: [leaf] }: IssuedChain): void {
    const { serial } = leaf
    const issuer = quote(leaf.issuer)
    const notAfter = new Date(leaf.notAfter).toISOString()
    const message = `Received a certificate for ${names.join(', ')} from ${server}, good until ${notAfter}.`
    log.info('certificate-received', message, { names, issuer, serial, notAfter })
  }
}

/** Not what could not be used to begin with: a CA counts its own looks alone. */
function wasTried({ challengeType }: AuthorizationFailure): boolean {
  return challengeType !== undefined
}

function factsOf(directory: Directory, profile: string | undefined): CaFacts {
  const { termsOfService: terms, profiles, resources, caaIdentities, externalAccountRequired } = directory
  return { terms, profiles, profile, resources, caaIdentities, externalAccountRequired }
}

/** RFC 8555 §11.1: whoever can misuse one key must not have the other. */
function accountKeyReused(names: readonly string[]): AcmeError {
  const sentence = `The key made for ${names.join(', ')} is the account’s own, which must never be a certificate’s key.`
  return new AcmeError('account-key-reused', sentence, { names })
}
