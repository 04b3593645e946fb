import { createHmac } from 'node:crypto'
import type { Fields } from '../../exchange/exchange.ts'
import { cookieValue } from './cookie.ts'
import type { Target } from './target.ts'

/** 128 bits: nobody hits upon a value by trying. */
const VALUE_CHARACTERS = 22

/** What brings a client back to the target that it was with. Its value says nothing to who has not the key. */
export class StickyCookie {
  readonly #name: string
  readonly #byValue = new Map<string, Target>()

  constructor(name: string) {
    this.#name = name
  }

  /** From now on these are the targets, and `key` (base64) what their values are made with. */
  use(targets: readonly Target[], key: string): void {
    this.#byValue.clear()
    for (const target of targets) {
      target.cookie = createHmac('sha256', Buffer.from(key, 'base64'))
        .update(target.url)
        .digest('base64url')
        .slice(0, VALUE_CHARACTERS)
      this.#byValue.set(target.cookie, target)
    }
  }

  /** The target that a client brings along; undefined if it brings none, or a value that is not one of ours. */
  find(fields: Fields): Target | undefined {
    const value = cookieValue(fields, this.#name)
    return value === undefined ? undefined : this.#byValue.get(value)
  }

  /** What to set for a client that was served by this target (RFC 6265 §4.1.1); undefined if it has that already. */
  fieldFor(target: Target, fields: Fields, scheme: 'http' | 'https'): string | undefined {
    if (cookieValue(fields, this.#name) === target.cookie) return undefined
    const secure = scheme === 'https' ? '; Secure' : ''
    return `${this.#name}=${target.cookie}; Path=/; HttpOnly; SameSite=Lax${secure}`
  }
}
