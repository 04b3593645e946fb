/** Facts that an operator needs to act on an error: names, addresses, files, the peer's own words. Never a private key. */
export type Facts = Record<string, string | number | boolean | readonly string[] | undefined>

/**
 * The root of every error that Castellan throws on purpose: a stable code to switch on, a sentence for a person,
 * and the facts behind it. A subclass narrows `code` to the union of its codes.
 */
export class CastellanError extends Error {
  readonly code: string
  readonly facts: Facts

  constructor(code: string, message: string, facts: Facts = {}, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = new.target.name
    this.code = code
    this.facts = facts
  }
}

/** The `code` of a system or Castellan error (`ENOENT`, `order-invalid`), if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** One sentence for a log or a terminal: the message, followed by the messages of its causes. */
export function describeError(error: unknown): string {
  const sentences: string[] = []
  let current: unknown = error
  for (let depth = 0; depth < 5 && current !== undefined && current !== null; depth++) {
    if (!(current instanceof Error)) {
      sentences.push(String(current))
      break
    }
    const message = current instanceof AggregateError && current.message === '' ? joinErrors(current) : current.message
    if (!sentences.some((sentence) => sentence.includes(message))) sentences.push(message)
    current = current.cause
  }
  if (sentences.length === 0) return ''
  return sentences.reduce((text, sentence) => `${text}${/[.!?]$/.test(text) ? ' ' : ': '}${sentence}`)
}

/** With a full stop, if it has none, for another sentence to follow. */
export function asSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/** Node gives an empty message when every address of a name refused; the reasons are inside. */
function joinErrors(error: AggregateError): string {
  return error.errors.map((inner) => (inner instanceof Error ? inner.message : String(inner))).join('; ')
}
