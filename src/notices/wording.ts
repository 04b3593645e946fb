import { spokenDuration, spokenTime } from '../certificates/spoken-time.ts'
import { asSentence } from '../errors.ts'
import { escapeControls } from '../telemetry/line-log.ts'
import type { Telling } from './board.ts'
import type { Notice, NoticeState, Trouble, TroubleKind } from './trouble.ts'

type Wording = {
  /** Without a full stop. */
  readonly title: (trouble: Trouble, now: number) => string
  /** What Castellan will do. */
  readonly next: (trouble: Trouble, now: number) => string
  /** What a person can do. */
  readonly remedy: (trouble: Trouble) => string
  /** The title of the notice that it is over. */
  readonly over: (trouble: Trouble) => string
}

/** More names than a person reads are counted. */
const MAX_DESCRIBED = 3

/** `a.test, b.test and 5 more`. */
export function describeNames(names: readonly string[]): string {
  const more = names.length > MAX_DESCRIBED ? ` and ${names.length - MAX_DESCRIBED} more` : ''
  return `${names.slice(0, MAX_DESCRIBED).join(', ')}${more}`
}

function nextTry({ nextAt }: Trouble, now: number): string {
  if (nextAt === undefined) return 'Castellan tries on by itself.'
  return `Castellan tries again in ${spokenDuration(nextAt - now)}, at ${spokenTime(nextAt)}.`
}

/** How it stands with what serves meanwhile, for a title. */
function ending({ expiresAt }: Trouble, now: number): string {
  if (expiresAt === undefined) return ''
  if (expiresAt > now) return `, and the present one ends in ${spokenDuration(expiresAt - now)}`
  return `, and the former one has ended ${spokenDuration(now - expiresAt)} ago: clients refuse it`
}

/** Of all the names that wait, the one that suffers first, and when. */
function firstToEnd({ expiresAt, names }: Trouble, now: number): string {
  if (expiresAt === undefined || names.length === 0) return ''
  if (expiresAt > now) return `; the first to end is that of ${describeNames(names)}, ${when(expiresAt, now)}`
  return `; that of ${describeNames(names)} has ended ${spokenDuration(now - expiresAt)} ago: clients refuse it`
}

function when(at: number, now: number): string {
  return at > now ? `in ${spokenDuration(at - now)}, at ${spokenTime(at)}` : 'now'
}

const REACH = 'see that the name leads to this machine and that ports 80 and 443 of it can be reached from everywhere'

/** By the code of the error, or the type of the CA's problem (RFC 8555 §6.7). */
const REMEDIES: Readonly<Record<string, string>> = {
  'authorization-failed': `What the CA said tells which name it is about: ${REACH}.`,
  'names-hopeless': 'Change the DNS records that are named above; Castellan sees by itself when that is done.',
  'challenge-not-offered': 'Allow a kind of challenge that the CA offers, under "challenges" of the issuer.',
  'external-account-required': 'Get an account from the CA and give it as "externalAccount" of the issuer.',
  externalAccountRequired: 'Get an account from the CA and give it as "externalAccount" of the issuer.',
  'external-account-invalid': 'Copy the key of the external account from the CA once more.',
  'profile-not-offered': 'Name a profile that the CA offers, or do not require it.',
  'storage-unwritable': 'Make room in the storage folder, or let this user write there.',
  'acme-untrusted': 'Name the certificate of whoever signs for the CA as "trust" of the issuer.',
  caa: 'Let the CA in by a CAA record of the name, or remove those that keep it out.',
  connection: `The CA could not connect: ${REACH}.`,
  dns: `The CA could not resolve the name: ${REACH}, and that its DNS answers without errors.`,
  rateLimited: 'There is nothing to do but wait, unless something else orders certificates for the same names.',
  'rate-limit-spent': 'There is nothing to do but wait: "castellan limits" shows what is left, and when more comes.',
  rejectedIdentifier: 'The CA certifies no such name: remove it, or name another issuer for it.',
  unauthorized: `Something else answered the CA: ${REACH}, and that no other web server or CDN answers in its place.`,
  userActionRequired: 'Open the address that the CA names, and do what it asks for there.',
}

const WORDINGS: Record<TroubleKind, Wording> = {
  'certificate-failed': {
    title: (trouble, now) => {
      const { names, expiresAt } = trouble
      const what = expiresAt === undefined ? 'There is no certificate for' : 'No new certificate for'
      return `${what} ${describeNames(names)}${ending(trouble, now)}`
    },
    next: nextTry,
    remedy: ({ cause, names }) =>
      `${REMEDIES[cause ?? ''] ?? 'Put right what is said above.'} Then "castellan certs retry ${names[0]}" tries at once.`,
    over: ({ names }) => `${describeNames(names)} has its certificate`,
  },
  'certificate-paused': {
    title: (trouble, now) => `${describeNames(trouble.names)} is paused by its CA${ending(trouble, now)}`,
    next: () => 'Castellan orders it no more by itself.',
    remedy: ({ unpauseUrl, names }) =>
      `Find out why it has failed so often, unpause it at ${unpauseUrl}, and then "castellan certs retry ${names[0]}" orders it again.`,
    over: ({ names }) => `${describeNames(names)} has its certificate`,
  },
  'certificate-revoked': {
    title: ({ names }) => `The certificate for ${describeNames(names)} was revoked by its CA`,
    next: ({ cause }) =>
      cause === 'own'
        ? 'Castellan reads your files again as soon as they change.'
        : 'Castellan replaces it by one with a new key as soon as the CA gives one.',
    remedy: ({ cause }) =>
      cause === 'own'
        ? 'Put a new certificate with a new key in its place, and find out who revoked it and why.'
        : 'If it was not you who revoked it, find out why.',
    over: ({ names }) => `The revoked certificate for ${describeNames(names)} is not served any more`,
  },
  'own-file-unusable': {
    title: (trouble, now) =>
      `${trouble.subject} cannot be used for ${describeNames(trouble.names)}${ending(trouble, now)}`,
    next: () => 'Castellan reads the files again as soon as they change.',
    remedy: () => 'Put a certificate and the key that belongs to it into the files, and let this user read them.',
    over: ({ subject }) => `${subject} is in order again`,
  },
  'own-file-ending': {
    title: ({ subject, names, expiresAt = 0 }, now) =>
      expiresAt > now
        ? `${subject} for ${describeNames(names)} ends in ${spokenDuration(expiresAt - now)}`
        : `${subject} for ${describeNames(names)} has ended ${spokenDuration(now - expiresAt)} ago: clients refuse it`,
    next: () => 'Castellan reads the files again as soon as they change; it does not renew what you bring.',
    remedy: () => 'Put a new certificate in its place, or remove the files from the config: then Castellan gets one.',
    over: ({ subject }) => `${subject} is in order again`,
  },
  'own-file-lacks-names': {
    title: ({ subject, names }) => `${subject} does not cover ${describeNames(names)}: clients refuse it there`,
    next: () => 'Castellan reads the files again as soon as they change.',
    remedy: () => 'Put a certificate for all names of the site in its place.',
    over: ({ subject }) => `${subject} is in order again`,
  },
  'staple-missing': {
    title: ({ names }) => `The must-staple certificate for ${describeNames(names)} has no staple: clients refuse it`,
    next: () => 'Castellan asks the responder again and again.',
    remedy: () =>
      'See that this machine can reach the responder. If the CA has none any more, set mustStaple: off, and Castellan orders another one.',
    over: ({ names }) =>
      `The must-staple certificate for ${describeNames(names)} has its staple, or is not served any more`,
  },
  'storage-unwritable': {
    title: ({ subject }) => `The storage cannot be written at ${subject}`,
    next: () => 'Castellan serves on from memory, and tries again with each thing that it has to write.',
    remedy: () => REMEDIES['storage-unwritable']!,
    over: ({ subject }) => `The storage can be written again at ${subject}`,
  },
  'clock-wrong': {
    title: (trouble, now) =>
      `This machine's clock is wrong, so that no certificates are ordered${ending(trouble, now)}`,
    next: nextTry,
    remedy: () => 'Set the clock; timedatectl shows whether it is synchronised.',
    over: () => "This machine's clock is right again",
  },
  'terms-not-accepted': {
    title: (trouble, now) =>
      `${trouble.subject} gives no certificates before its terms are accepted${ending(trouble, now)}`,
    next: nextTry,
    remedy: ({ cause }) =>
      (cause === 'userActionRequired' ? REMEDIES[cause] : undefined) ??
      'Read the terms of service, then set acceptTerms: true and restart Castellan.',
    over: ({ subject }) => `${subject} gives certificates again`,
  },
  'issuer-refuses': {
    title: (trouble, now) => `${trouble.subject} gives no certificates as it is set up${ending(trouble, now)}`,
    next: nextTry,
    remedy: ({ cause }) => REMEDIES[cause ?? ''] ?? 'Put right what is said above, and restart Castellan.',
    over: ({ subject }) => `${subject} gives certificates again`,
  },
  'issuer-out-of-order': {
    title: (trouble, now) =>
      `${trouble.subject} is out of order, so that no certificates come${firstToEnd(trouble, now)}`,
    next: nextTry,
    remedy: ({ cause }) =>
      cause === 'acme-untrusted'
        ? REMEDIES['acme-untrusted']!
        : 'See whether this machine can reach the CA: DNS, firewall, proxy. If the CA is out, wait.',
    over: ({ subject }) => `${subject} answers again`,
  },
  'renewals-limited': {
    title: (trouble, now) => `Renewals wait for rate limits of ${trouble.subject}${firstToEnd(trouble, now)}`,
    next: (trouble, now) => `The next can be ordered ${when(trouble.nextAt ?? now, now)}.`,
    remedy: () =>
      '"castellan limits" shows what is left, and when more comes. Find out what else orders certificates for the same domain, ask the CA for more (and say so as "rateLimits" of the issuer), or name a second issuer.',
    over: ({ subject }) => `Renewals do not wait that long any more for rate limits of ${subject}`,
  },
}

/** What is told, in words. `seen` is what Castellan saw when it looked for itself. */
export function noticeOf(key: string, telling: Telling, seen: readonly string[], now: number): Notice {
  const { state, trouble, since, isGone = false } = telling
  const wording = WORDINGS[trouble.kind]
  const isOver = state === 'over'
  return {
    ...{ id: key, state, kind: trouble.kind, severity: trouble.severity, at: now, since, names: trouble.names },
    title: escapeControls(isOver ? overTitle(trouble, isGone) : wording.title(trouble, now)),
    said: isOver ? '' : escapeControls(asSentence(trouble.said)),
    seen: isOver ? [] : seen.map(escapeControls),
    next: isOver ? '' : wording.next(trouble, now),
    remedy: isOver ? '' : escapeControls(wording.remedy(trouble)),
    expiresAt: trouble.expiresAt,
  }
}

function overTitle(trouble: Trouble, isGone: boolean): string {
  const { subject, names, kind } = trouble
  return isGone ? `${subject ?? describeNames(names)} is not in the config any more` : WORDINGS[kind].over(trouble)
}

/** A notice that tells nothing but that notices arrive. */
export function testNotice(machine: string, now: number): Notice {
  return {
    ...{ id: 'test', state: 'test', kind: 'test', severity: 'warning', at: now, since: now, names: [] },
    title: `This is a test of Castellan on ${machine}`,
    said: 'Nothing is wrong: somebody has asked for it with "castellan notify test".',
    seen: [],
    next: '',
    remedy: '',
    expiresAt: undefined,
  }
}

const STATES: Record<NoticeState, string> = {
  raised: '',
  worse: 'Worse: ',
  reminder: 'Still: ',
  over: 'Over: ',
  test: 'Test: ',
}

/** One line for a subject or a list. */
export function headline({ state, title }: Notice): string {
  return `${STATES[state]}${title}`
}

/** All of it in one paragraph, as the log has it. */
export function inOneLine(notice: Notice): string {
  const { said, seen, next, remedy } = notice
  return [asSentence(headline(notice)), said, ...seen, next, remedy].filter((part) => part !== '').join(' ')
}

/** All of it for a mail or a chat. */
export function inParagraphs(notice: Notice): string {
  const { said, seen, next, remedy, since, at, state } = notice
  const sections = [
    ['', said],
    ['What Castellan saw when it looked for itself:', seen.map((each) => `- ${each}`).join('\n')],
    ['What happens next:', next],
    ['What you can do:', remedy],
    ['', since < at && state !== 'test' ? `First told at ${spokenTime(since)}.` : ''],
  ].filter(([, text]) => text !== '')
  const body = sections.map(([heading, text]) => (heading === '' ? text : `${heading}\n${text}`))
  return [headline(notice), ...body].join('\n\n')
}
