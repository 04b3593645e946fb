import { didYouMean } from '../config/suggestion.ts'
import { CastellanError } from '../errors.ts'
import { coversName } from '../pki/certificate.ts'
import { canonicalName } from '../pki/subject-names.ts'

/** Nothing is known by this name (`facts.name`). */
export class UnknownCertificateError extends CastellanError {
  declare readonly code: 'certificate-unknown'
}

type Named = { readonly id: string; readonly names: readonly string[] }

/**
 * Those that an operator means: the one with this id, else all that are for this name, of whatever kind, else those with a
 * wildcard in its place. Throws UnknownCertificateError, with the name that was probably meant.
 */
export function selectByName<T extends Named>(all: readonly T[], text: string): T[] {
  const name = canonicalName(text.replace(/(?<=.)\.$/, ''))
  for (const isMeant of [
    ({ id }: Named) => id === text,
    ({ names }: Named) => names.includes(name),
    ({ names }: Named) => coversName(names, name),
  ]) {
    const found = all.filter(isMeant)
    if (found.length > 0) return found
  }
  const hint = didYouMean(name, [...new Set(all.flatMap(({ names }) => names))])
  const message = `No certificate is wanted for ${JSON.stringify(text)}; ${hint ?? '"castellan certs list" shows all that are.'}`
  throw new UnknownCertificateError('certificate-unknown', message, { name: text })
}
