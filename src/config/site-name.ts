import { domainToASCII } from 'node:url'
import { isPublicName } from '../pki/public-name.ts'
import { canonicalIp } from './ip-address.ts'
import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const ALLOWED = 'write the name only, such as "www.example.com", "*.example.com" or an IP address'

/** As a site: any name that no other site lists. */
export const ANY_NAME = '*'

/** RFC 1035 §2.3.4, as text and without the trailing dot. */
const MAX_NAME_CHARACTERS = 253
const MAX_LABEL_CHARACTERS = 63

/**
 * A name that a site answers to. Read as lower-case ASCII (punycode) without trailing dot, or as an IP address in
 * canonical form without brackets.
 */
export const siteNameFormat: TextFormat<string> = {
  allowed: ALLOWED,
  schema: { examples: ['www.example.com', '*.example.com', '192.0.2.1'] },
  read: readSiteName,
}

function readSiteName(text: string): string | Refusal {
  const address = canonicalIp(text)
  if (address !== undefined) return address
  if (text === ANY_NAME)
    return refuse('which is a site of its own, any name that no other site lists, and nothing else')
  const misfit = moreThanAName(text)
  if (misfit !== undefined) return misfit

  const wildcard = text.startsWith('*.')
  const name = toAscii(wildcard ? text.slice(2) : text)
  if (name === undefined) return refuse('which is not a valid internationalized name (UTS 46)')
  const fault = nameFault(name, wildcard)
  if (fault !== undefined) return refuse(fault)
  return wildcard ? `*.${name}` : name
}

function refuse(fault: string, correction?: string): Refusal {
  const hint = correction === undefined || correction === '' ? undefined : `did you mean ${JSON.stringify(correction)}?`
  return new Refusal(ALLOWED, { fault, hint })
}

/** URLs and authorities are what people paste where only a name belongs. */
function moreThanAName(text: string): Refusal | undefined {
  if (text === '') return refuse('which is empty')
  if (text.includes('${')) return refuse('but variables are replaced in values, not in the names of sites')
  const name = text
    .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
    .replace(/[/?#].*$/s, '')
    .replace(/:\d*$/, '')
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return refuse('which has a scheme', name)
  if (/[/?#]/.test(text)) return refuse('which has a path', name)
  if (text.includes('@')) return refuse('which has a user name')
  if (/:\d*$/.test(text)) return refuse('which has a port', name)
  if (/[\s%\\:[\]]/.test(text)) return refuse('which has a character that no name has')
  return undefined
}

/** Only names that need it go through IDNA: Node's function reads the rest as a URL would (`1.2.3` as an address). */
function toAscii(text: string): string | undefined {
  const lower = text.toLowerCase()
  const needsIdna = /[^\0-\x7f]|xn--/.test(lower)
  const name = (needsIdna ? domainToASCII(lower) : lower).replace(/\.$/, '')
  if (needsIdna && (name === '' || canonicalIp(name) !== undefined)) return undefined
  return name
}

/** What keeps an ASCII name from being a host name (RFC 1123 §2.1) that a certificate can hold. */
function nameFault(name: string, wildcard: boolean): string | undefined {
  const labels = name.split('.')
  if (name.length > MAX_NAME_CHARACTERS) return `which is longer than ${MAX_NAME_CHARACTERS} characters`
  if (labels.includes('')) return 'which has an empty label: a dot too many'
  if (name.includes('*')) return 'but a wildcard is the whole leftmost label and no other'
  if (name.includes('_')) return 'which has an underscore: no CA certifies such a name (CA/Browser Forum ballot SC12)'
  if (labels.some((label) => label.length > MAX_LABEL_CHARACTERS))
    return `which has a label longer than ${MAX_LABEL_CHARACTERS} characters`
  if (!/^[a-z0-9.-]+$/.test(name)) return 'which has a character that no name has'
  if (labels.some((label) => label.startsWith('-') || label.endsWith('-')))
    return 'which has a label that starts or ends with a hyphen'
  if (/^\d+$/.test(labels.at(-1)!)) return 'which looks like an IP address and is none'
  if (wildcard && labels.length < 2 && isPublicName(`a.${name}`))
    return 'which stands for every name below a top-level domain'
  return undefined
}

/** Whether a host name in lower-case ASCII is well-formed. */
export function isHostName(name: string): boolean {
  return nameFault(name, false) === undefined
}

/** Whether a site's name, a wildcard maybe, covers a name: `*.` stands for exactly one label (RFC 6125 §6.4.3). */
export function covers(siteName: string, name: string): boolean {
  if (!siteName.startsWith('*.')) return siteName === name
  const dot = name.indexOf('.')
  return dot > 0 && name.slice(dot) === siteName.slice(1)
}
