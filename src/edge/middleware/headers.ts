import type { FieldChanges } from '../../policy.ts'
import type { Exchange, Fields, RequestHead, ResponseHead } from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'
import { foldedName, keepFields } from '../fields.ts'
import type { Middleware } from './middleware.ts'

export type HeadersSettings = {
  readonly request: FieldChanges | undefined
  readonly response: FieldChanges | undefined
}

/** Changes the fields of requests before an application sees them, and of responses before a client does. */
export function headers({ request, response }: HeadersSettings): Middleware {
  const ofRequest = request && requestChanger(request)
  const ofResponse = response && changer(response, (name) => name.toLowerCase())
  return (next) => (exchange, facts) => next(new ChangedExchange(exchange, ofRequest, ofResponse), facts)
}

type Change = (fields: Fields) => Fields

/** Removes, then sets in place of what has the name, then adds. Names are the same that `fold` makes the same. */
function changer({ set, add, remove }: FieldChanges, fold: (name: string) => string): Change {
  const gone = new Set([...remove, ...set.filter((_, at) => at % 2 === 0)].map(fold))
  const put = [...set, ...add]
  return (fields) => {
    const changed: string[] = []
    for (let at = 0; at < fields.length; at += 2)
      if (!gone.has(fold(fields[at]!))) changed.push(fields[at]!, fields[at + 1]!)
    changed.push(...put)
    return changed
  }
}

/**
 * What Connection nominates is dropped before ours is put in, and Connection with it (RFC 9110 §7.6.1): a client must not
 * take away by it what the operator sets, nor put a spelling beside it that applications take for the same (`X_User`). Host is
 * no field here but the authority.
 */
function requestChanger(changes: FieldChanges): (request: RequestHead) => RequestHead {
  const at = changes.set.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'host')
  const authority = at < 0 ? undefined : changes.set[at + 1]
  const change = changer(at < 0 ? changes : { ...changes, set: changes.set.toSpliced(at, 2) }, foldedName)
  return (request) => ({
    ...request,
    authority: authority ?? request.authority,
    fields: change(keepFields(request.fields, (role) => role !== 'connection')),
  })
}

class ChangedExchange extends WrappedExchange {
  readonly #request: RequestHead
  readonly #ofResponse: Change | undefined

  constructor(
    inner: Exchange,
    ofRequest: ((request: RequestHead) => RequestHead) | undefined,
    ofResponse: Change | undefined,
  ) {
    super(inner)
    const { request } = inner
    this.#request = ofRequest === undefined ? request : ofRequest(request)
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
