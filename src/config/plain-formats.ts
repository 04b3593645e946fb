import { NOT_SUPPORTED_YET, Refusal } from './problem.ts'
import { didYouMean } from './suggestion.ts'
import type { TextFormat } from './text-format.ts'

const EMAIL_ALLOWED = 'allowed: an e-mail address, such as "ops@example.com"'

/** RFC 5321 §4.1.2, without quoted local parts; one that a CA would take. */
const EMAIL = /^[\w!#$%&'*+/=?^`{|}~.-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+$/i

/** An e-mail address. */
export const emailFormat: TextFormat<string> = {
  allowed: EMAIL_ALLOWED,
  schema: { pattern: '^[^@\\s:]+@[^@\\s]+\\.[^@\\s]+$', examples: ['ops@example.com'] },
  read(text) {
    if (text.startsWith('mailto:')) return new Refusal(EMAIL_ALLOWED, { fault: 'which needs no mailto:' })
    return EMAIL.test(text) ? text : new Refusal(EMAIL_ALLOWED)
  },
}

const DIRECTORY_ALLOWED = 'allowed: an https:// URL, such as "https://ca.corp.example/acme/directory"'

/** The URL of an ACME server's directory: HTTPS always (RFC 8555 §6.1). */
export const directoryFormat: TextFormat<string> = {
  allowed: DIRECTORY_ALLOWED,
  schema: { pattern: '^https://\\S+$', examples: ['https://ca.corp.example/acme/directory'] },
  read(text) {
    const url = URL.parse(text)
    if (url?.protocol === 'http:')
      return new Refusal(DIRECTORY_ALLOWED, { fault: 'but ACME works over HTTPS only (RFC 8555 §6.1)' })
    if (url?.protocol !== 'https:') return new Refusal(DIRECTORY_ALLOWED)
    if (url.username !== '' || url.password !== '')
      return new Refusal(DIRECTORY_ALLOWED, { fault: 'which has a user name or a password' })
    return url.href
  },
}

const STORAGE_ALLOWED = 'allowed: a folder, such as "./data"'

/** A folder for everything that must not be lost. Read without touching the disk: a relative path stays relative. */
export const storageFormat: TextFormat<string> = {
  allowed: STORAGE_ALLOWED,
  schema: { pattern: '^(?![A-Za-z][A-Za-z0-9+.-]*://).*\\S', examples: ['./data', '/var/lib/castellan'] },
  read(text) {
    if (/^(rediss?|postgres(ql)?):\/\//i.test(text))
      return new Refusal(STORAGE_ALLOWED, { found: `found a database, which is ${NOT_SUPPORTED_YET} as storage` })
    if (/^~(\/|$)/.test(text))
      return new Refusal(STORAGE_ALLOWED, {
        fault: 'but ~ is only replaced by a shell',
        hint: `did you mean "${text.replace('~', `\${HOME}`)}"?`,
      })
    if (text.trim() === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return new Refusal(STORAGE_ALLOWED)
    return text
  },
  otherwise(value) {
    if (typeof value !== 'object' || value === null) return undefined
    return `storage with settings of its own is ${NOT_SUPPORTED_YET}; ${STORAGE_ALLOWED}`
  },
}

/** A process for each core is plenty; far beyond is a typing error. */
export const MAX_WORKERS = 256

export const WORKERS_ALLOWED = `allowed: auto (one a core), or a number from 1 to ${MAX_WORKERS}`

/** How many workers, as text; a number arrives as text from the environment. */
export const workersFormat: TextFormat<number | 'auto'> = {
  allowed: WORKERS_ALLOWED,
  schema: { enum: ['auto'] },
  read(text) {
    if (text === 'auto') return text
    const count = /^\d{1,3}$/.test(text) ? Number(text) : 0
    if (count >= 1 && count <= MAX_WORKERS) return count
    return new Refusal(WORKERS_ALLOWED, { hint: didYouMean(text, ['auto']) })
  },
}

/** What YAML 1.1 read as a boolean; to accept them would mean to guess what `y` is elsewhere. */
const FORMER_WORDS = new Map([
  ['yes', 'on'],
  ['y', 'on'],
  ['no', 'off'],
  ['n', 'off'],
])

const SWITCH_WORDS = new Map([
  ['on', true],
  ['true', true],
  ['off', false],
  ['false', false],
])

/** `on` and `off`, which YAML 1.2 reads as text, and the text `true` and `false`, which the environment may hold. */
export function switchFormat(allowed = 'allowed: on, off, true, false'): TextFormat<boolean> {
  return {
    allowed,
    schema: { enum: ['on', 'off'] },
    read(text) {
      const state = SWITCH_WORDS.get(text)
      if (state !== undefined) return state
      const former = FORMER_WORDS.get(text.toLowerCase())
      const hint = former === undefined ? didYouMean(text, SWITCH_WORDS.keys()) : `did you mean "${former}"?`
      return new Refusal(allowed, { hint })
    },
  }
}
