import type { Answer } from '../exchange/answer.ts'
import type { HttpDate } from '../http-date.ts'

export const CHALLENGE_PREFIX = '/.well-known/acme-challenge/'

/** RFC 8555 §8.3: what port 80 answers while a CA validates a name. Only what was published; nothing is echoed. */
export class Http01Answers {
  readonly #keyAuthorizations = new Map<string, string>()

  publish(token: string, keyAuthorization: string): void {
    this.#keyAuthorizations.set(token, keyAuthorization)
  }

  withdraw(token: string): void {
    this.#keyAuthorizations.delete(token)
  }

  /** The answer to a validation request, which goes ahead of any redirect or site; undefined if this is none. */
  answer(target: string, date: HttpDate): Answer | undefined {
    if (!target.startsWith(CHALLENGE_PREFIX)) return undefined
    const keyAuthorization = this.#keyAuthorizations.get(target.slice(CHALLENGE_PREFIX.length))
    const fields = ['Date', date.now(), 'Content-Type', 'application/octet-stream', 'Cache-Control', 'no-store']
    return keyAuthorization === undefined
      ? { status: 404, fields, text: 'No such challenge is pending here.\n' }
      : { status: 200, fields, text: keyAuthorization }
  }
}
