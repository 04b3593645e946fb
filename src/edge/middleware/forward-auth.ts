import type { ForwardAuth } from '../../guards.ts'
import { answer } from '../exchange/answer.ts'
import type { Exchange, Fields, ResponseHead } from '../exchange/exchange.ts'
import { HeldExchange } from '../exchange/held-exchange.ts'
import { fieldValues, foldedName } from '../fields.ts'
import type { HttpDate } from '../http-date.ts'
import type { UpstreamConnections } from '../upstream/connections.ts'
import { askUpstream, type QuestionOptions, type Reply } from '../upstream/question.ts'
import { requestFields } from '../upstream/request-fields.ts'
import { isDated, responseFields } from '../upstream/response-fields.ts'
import { certificateFields } from './client-certificate.ts'
import { withIdentity, withoutFolded } from './identity-fields.ts'
import type { Middleware, Refuse, RequestFacts } from './middleware.ts'
import { originAt } from './redirect.ts'

export type ForwardAuthTools = {
  readonly connections: UpstreamConnections
  readonly date: HttpDate
  readonly refuse: Refuse
  /** Names of fields that are not to come from clients, folded. */
  readonly identity: ReadonlySet<string>
}

/** A page that asks somebody to log in, with its pictures in it. */
const MAX_ANSWER_BYTES = 256 * 1024

/** What the request for the service is not about: content that it does not get, and copies that it did not give. */
const NOT_ASKED = new Set([
  'content-encoding',
  'content-language',
  'content-type',
  'expect',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'x-forwarded-method',
  'x-forwarded-uri',
])

/**
 * Asks a service about each request, as Traefik and Caddy do: by a GET that has the fields of the request, and tells its
 * method and target. 2xx lets it through, any other answer is the client's. Where there is no answer nobody is let in.
 */
export function forwardAuth(settings: ForwardAuth, tools: ForwardAuthTools): Middleware {
  const { service, copy } = settings
  const { connections, refuse } = tools
  const own = new Set([...tools.identity, ...copy.map(foldedName)])
  const question = questionOf(settings, tools)
  return (next) => (exchange, facts) => {
    const decide = (reply: Reply): void => {
      if (reply.type === 'failure') {
        facts.record.onFailure(reply.error)
        return refuse(held, facts, { status: reply.error.status, why: 'auth-unreachable' })
      }
      if (!isSuccess(reply.head.status)) return deny(held, reply, facts, tools.date)
      next(withIdentity(held, own, copied(reply.head, copy)), facts)
    }
    const held: HeldExchange = new HeldExchange(exchange, (outcome) => {
      asked.cancel()
      facts.record.onEnd(outcome)
    })
    const asked = askUpstream(service, { ...question(exchange, facts), connections, tell: decide })
  }
}

type AboutRequest = (exchange: Exchange, facts: RequestFacts) => Omit<QuestionOptions, 'connections' | 'tell'>

function questionOf({ service, target }: ForwardAuth, { identity }: ForwardAuthTools): AboutRequest {
  const { scheme, host, port } = service.address
  const usual = scheme === 'https' || scheme === 'h2' ? 'https' : 'http'
  const authority = originAt(usual, host, port).slice(`${usual}://`.length)
  return (exchange, facts) => {
    const { address, port: clientPort, localAddress, localPort } = exchange.client
    return {
      request: { method: 'GET', scheme: usual, authority, target, fields: askedFields(exchange, facts, identity) },
      client: { clientAddress: address, clientPort, localAddress, localPort },
      wantsContent: (status) => !isSuccess(status),
      maxBytes: MAX_ANSWER_BYTES,
    }
  }
}

function askedFields(exchange: Exchange, facts: RequestFacts, identity: ReadonlySet<string>): Fields {
  const { origin, requestId, route, site } = facts
  const certificate = certificateFields(exchange, site)
  const { method, target } = exchange.request
  const told = { origin, requestId, forwarded: false, via: false, prefix: undefined, certificate }
  const fields = withoutFolded(requestFields(exchange, told), new Set([...identity, ...NOT_ASKED]))
  // What a route has taken off the front of the path is part of what the client asked for.
  fields.push('X-Forwarded-Method', method, 'X-Forwarded-Uri', (route?.stripPrefix ?? '') + target)
  return fields
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}

function copied({ fields }: ResponseHead, names: readonly string[]): string[] {
  return names.flatMap((name) => fieldValues(fields, name.toLowerCase()).flatMap((value) => [name, value]))
}

/** The service's own words to the client. */
function deny(
  exchange: Exchange,
  { head, content }: Extract<Reply, { type: 'answer' }>,
  { record }: RequestFacts,
  date: HttpDate,
): void {
  const fields = responseFields(head.fields)
  if (!isDated(fields)) fields.push('Date', date.now())
  record.why = 'auth-denied'
  answer(exchange, { status: head.status, fields, text: content }, record)
}
