import type { AuditedCertificate, AuditFacts } from './facts.ts'
import { counted, noneOf, notApplicable, pass, type Recommendation } from './recommendation.ts'

/** What Let's Encrypt puts into one certificate of its `classic` profile. */
const MAX_NAMES = 100

function held({ certificates }: AuditFacts): AuditedCertificate[] {
  return certificates.filter(({ report }) => report.held !== undefined)
}

/** What the guide asks of certificates and their keys. */
export const certificateRecommendations: readonly Recommendation[] = [
  {
    id: 'every-name',
    text: 'HTTPS by default: every name has a good certificate.',
    judge: ({ sites, certificates, now }) => {
      const isGood = ({ report: { held, standIns } }: AuditedCertificate): boolean =>
        (held !== undefined && held.notAfter > now) || standIns.some(({ notAfter }) => notAfter > now)
      const served = new Set(certificates.filter(isGood).map(({ report }) => report.site))
      const without = sites.filter(({ name }) => !served.has(name)).map(({ name }) => name)
      return noneOf(without, 'no good certificate', `${counted(sites.length, 'site')}, each with one`)
    },
  },
  {
    id: 'both-kinds',
    text: 'An RSA and an ECDSA certificate, each client with the better one that it can verify.',
    judge: ({ sites }) => {
      const issued = sites.filter(({ isOwn }) => !isOwn)
      if (issued.length === 0) return notApplicable('every certificate is brought by the operator')
      const single = issued.filter(({ keys }) => new Set(keys.map((key) => key.split('-')[0])).size < 2)
      return noneOf(
        single.map(({ name }) => name),
        'one kind of key only',
        `${counted(issued.length, 'site')}, each with both kinds`,
      )
    },
  },
  {
    id: 'key-kinds',
    text: 'Keys are RSA of 2048 to 4096 bits, or ECDSA on P-256 or P-384.',
    judge: (facts) => {
      const all = held(facts)
      if (all.length === 0) return notApplicable('there is no certificate yet')
      const strange = all.filter(({ report }) => report.keyKind === undefined)
      const kinds = [...new Set(all.map(({ report }) => report.keyKind))].join(', ')
      return noneOf(
        strange.map(({ report }) => report.id),
        'another kind of key',
        `${counted(all.length, 'certificate')}: ${kinds}`,
      )
    },
  },
  {
    id: 'names-per-certificate',
    text: 'Certificates have few names, and never more than the CA takes.',
    judge: ({ certificates }) => {
      const issued = certificates.filter(({ report }) => report.issuers.length > 0)
      if (issued.length === 0) return notApplicable('every certificate is brought by the operator')
      const large = issued.filter(({ report }) => report.names.length > MAX_NAMES)
      const most = Math.max(...issued.map(({ report }) => report.names.length))
      return noneOf(
        large.map(({ report }) => report.id),
        `more than ${MAX_NAMES} names`,
        `at most ${counted(most, 'name')}`,
      )
    },
  },
  {
    id: 'reuse',
    text: 'What was issued is stored, and used until its time has come.',
    judge: (facts) => {
      const all = held(facts)
      if (all.length === 0) return notApplicable('there is no certificate yet')
      const unstored = all.filter(({ report }) => report.held!.isUnstored || report.fault !== undefined)
      return noneOf(
        unstored.map(({ report }) => report.id),
        'not in the storage',
        `${counted(all.length, 'certificate')} stored`,
      )
    },
  },
  {
    id: 'stapling',
    text: 'What names an OCSP responder is served with a staple that outlives a restart; what names none, without.',
    judge: (facts) => {
      const all = held(facts).filter(({ hasResponder }) => hasResponder)
      if (all.length === 0) return notApplicable('no certificate names a responder')
      const bare = all.filter(({ hasStaple }) => !hasStaple)
      if (bare.length === 0) return pass(`${counted(all.length, 'staple')} stored`)
      return noneOf(
        bare.map(({ report }) => report.id),
        'no staple',
        '',
      )
    },
  },
]
