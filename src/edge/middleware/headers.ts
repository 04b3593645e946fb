import type { Exchange, RequestHead, ResponseHead } from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'
import type { FieldChanges } from '../snapshot.ts'
import type { Middleware } from './middleware.ts'

export type HeadersSettings = {
  readonly request: FieldChanges | undefined
  readonly response: FieldChanges | undefined
}

/** Changes the fields of requests before an application sees them, and of responses before a client does. */
export function headers({ request, response }: HeadersSettings): Middleware {
  const ofRequest = request && changer(request)
  const ofResponse = response && changer(response)
  return (next) => (exchange, facts) => next(new ChangedExchange(exchange, ofRequest, ofResponse), facts)
}

type Change = (fields: readonly string[]) => readonly string[]

/** Removes, then sets in place of what has the name, then adds. */
function changer({ set, add, remove }: FieldChanges): Change {
  const gone = new Set([...remove, ...set.filter((_, at) => at % 2 === 0)].map((name) => name.toLowerCase()))
  const put = [...set, ...add]
  return (fields) => {
    const changed: string[] = []
    for (let at = 0; at < fields.length; at += 2)
      if (!gone.has(fields[at]!.toLowerCase())) changed.push(fields[at]!, fields[at + 1]!)
    changed.push(...put)
    return changed
  }
}

class ChangedExchange extends WrappedExchange {
  readonly #request: RequestHead
  readonly #ofResponse: Change | undefined

  constructor(inner: Exchange, ofRequest: Change | undefined, ofResponse: Change | undefined) {
    super(inner)
    const { request } = inner
    this.#request = ofRequest === undefined ? request : { ...request, fields: ofRequest(request.fields) }
    this.#ofResponse = ofResponse
  }

  override get request(): RequestHead {
    return this.#request
  }

  override respond(head: ResponseHead, contentLength: number): void {
    const change = this.#ofResponse
    // What follows a 101 is another protocol's, and so are its fields.
    if (change === undefined || head.status === 101) return this.inner.respond(head, contentLength)
    this.inner.respond({ ...head, fields: change(head.fields) }, contentLength)
  }
}
