import type { AuditedSite, AuditFacts } from './facts.ts'
import { counted, fail, noneOf, notApplicable, pass, type Recommendation } from './recommendation.ts'

const INTERNAL = 'internal'
const HSTS_SECONDS = 60 * 24 * 60 * 60

/** Those that an ACME CA certifies. */
function fromCas({ sites }: AuditFacts): AuditedSite[] {
  return sites.filter(({ isOwn, issuers }) => !isOwn && issuers.some((issuer) => issuer !== INTERNAL))
}

/** What the guide asks of the installation as a whole. */
export const installationRecommendations: readonly Recommendation[] = [
  {
    id: 'second-ca',
    text: 'Plan for change: where the CA cannot issue, another can.',
    judge: (facts) => {
      const sites = fromCas(facts)
      if (sites.length === 0) return notApplicable('no site has certificates of an ACME CA')
      const alone = sites.filter(({ issuers }) => issuers.filter((issuer) => issuer !== INTERNAL).length < 2)
      return noneOf(
        names(alone),
        'one CA only (issuer: [a, b])',
        `${counted(sites.length, 'site')}, each with another CA to fall back on`,
      )
    },
  },
  {
    id: 'terms',
    text: 'The operator has agreed to the terms of the CA.',
    judge: (facts) => {
      if (fromCas(facts).length === 0) return notApplicable('no site has certificates of an ACME CA')
      return facts.acceptTerms ? pass('acceptTerms: true') : fail('acceptTerms is not set')
    },
  },
  {
    id: 'accounts',
    text: 'Accounts are kept and used again: one for an installation, more only for those who host others.',
    judge: ({ accounts }) => {
      if (accounts.length === 0) return notApplicable('no account yet')
      const unfinished = accounts.filter(({ url }) => url === undefined)
      if (unfinished.length > 0) return fail(`${counted(unfinished.length, 'account key')} without an account`)
      return pass(accounts.length > 5 ? counted(accounts.length, 'account') : accounts.map(({ url }) => url).join(', '))
    },
  },
  {
    id: 'account-key',
    text: 'An account’s key is never a certificate’s key (RFC 8555 §11.1).',
    judge: ({ accounts, certificates }) => {
      if (accounts.length === 0) return notApplicable('no account yet')
      const keys = new Set(accounts.map(({ keyDigest }) => keyDigest))
      const shared = certificates.filter(({ keyDigest }) => keyDigest !== undefined && keys.has(keyDigest))
      const well = `${counted(certificates.length, 'certificate')} compared with ${counted(accounts.length, 'account')}`
      return noneOf(
        shared.map(({ report }) => report.id),
        'the account’s own key',
        well,
      )
    },
  },
  {
    id: 'durable-storage',
    text: 'Certificates and keys are kept on durable storage, so that they are used again and not ordered anew.',
    judge: ({ storage: { folder, exists, volatile } }) => {
      if (!exists) return notApplicable(`${folder} is not there yet`)
      return volatile === undefined ? pass(`${folder} is on a disk`) : fail(`${folder} is ${volatile}`)
    },
  },
  {
    id: 'private-storage',
    text: 'Private keys can be read by their owner alone.',
    judge: ({ storage: { folder, exists, mode } }) => {
      if (!exists) return notApplicable(`${folder} is not there yet`)
      const spoken = `${folder} has mode ${mode.toString(8).padStart(4, '0')}`
      return (mode & 0o077) === 0 ? pass(spoken) : fail(spoken)
    },
  },
  {
    id: 'port-80',
    text: 'Port 80 is open to everybody, for redirects and for http-01.',
    judge: ({ listen }) => {
      if (listen.http.length === 0) return fail('listen.http is empty')
      return pass(
        `plain HTTP is served at ${counted(listen.http.length, 'address')}; "castellan doctor" looks whether it is reached`,
      )
    },
  },
  {
    id: 'redirect',
    text: 'HTTPS by default: plain HTTP redirects to it.',
    judge: ({ sites, listen }) => {
      if (listen.http.length === 0 || listen.https.length === 0) return notApplicable('not both are served')
      const plain = sites.filter(({ redirectToHttps }) => !redirectToHttps)
      return noneOf(
        names(plain),
        'served over plain HTTP too (redirect: off)',
        `${counted(sites.length, 'site')}, each redirects`,
      )
    },
  },
  {
    id: 'hsts',
    text: 'HSTS begins with 60 days at most, and is turned on by whoever knows that HTTPS stays.',
    judge: ({ sites }) => {
      const on = sites.filter(({ hsts }) => hsts !== undefined && hsts.mode !== 'retire')
      if (on.length === 0) return notApplicable('no site has HSTS')
      const long = on.filter(({ hsts }) => hsts!.mode === 'on' && hsts!.maxAgeSeconds > HSTS_SECONDS)
      return noneOf(
        names(long),
        'longer than 60 days from the first visit on ({ ramp: on } gets there carefully)',
        `${counted(on.length, 'site')} with HSTS, within that or on a ramp`,
      )
    },
  },
  {
    id: 'errors-reported',
    text: 'All errors of issuance reach the administrator.',
    judge: ({ logLevel }) =>
      logLevel === 'error'
        ? fail('log.level: error leaves out the warnings of what failed and is tried again')
        : pass(`log.level: ${logLevel} has each failure, with the CA’s own words`),
  },
]

function names(sites: readonly AuditedSite[]): string[] {
  return sites.map(({ name }) => name)
}
