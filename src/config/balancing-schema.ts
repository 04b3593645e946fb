import { z } from 'zod'
import { type Balance, balanceWords, type Concurrency } from './balancing.ts'
import { durationFormat } from './duration.ts'
import { Refusal } from './problem.ts'
import { count, mapping, onOff, text } from './schema-elements.ts'
import { choiceFormat, type TextFormat } from './text-format.ts'

/** RFC 9110 §5.6.2: what a header field, or a cookie (RFC 6265 §4.1.1), may be called. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]{1,256}$/

function tokenFormat(allowed: string, example: string): TextFormat<string> {
  return {
    allowed,
    schema: { pattern: "^[!#$%&'*+.^_`|~\\w-]+$", examples: [example] },
    read: (written) => (TOKEN.test(written) ? written : new Refusal(allowed)),
  }
}

const headerName = text(tokenFormat('allowed: the name of a header field, such as X-User', 'X-User'))
const cookieName = text(tokenFormat('allowed: the name of a cookie, such as session', 'session'))

const HASH_ALLOWED = 'allowed: { header: NAME }, { cookie: NAME } or clientAddress'

const hashKeys = mapping('balance.hash', {
  header: headerName.optional().describe('Requests with the same value of this field go to the same address.'),
  cookie: cookieName.optional().describe('Requests with the same value of this cookie do.'),
  clientAddress: onOff().optional().describe('Requests of the same client do; the same as hash: clientAddress.'),
}).transform(({ header, cookie, clientAddress }, context): Balance => {
  const given: Balance[] = []
  if (header !== undefined) given.push({ by: 'hash', of: 'header', name: header.toLowerCase() })
  if (cookie !== undefined) given.push({ by: 'hash', of: 'cookie', name: cookie })
  if (clientAddress === true) given.push({ by: 'hash', of: 'clientAddress' })
  if (given.length === 1) return given[0]!
  context.addIssue({ code: 'custom', message: `exactly one key is needed; ${HASH_ALLOWED}` })
  return z.NEVER
})

const byClientAddress = text(choiceFormat(['clientAddress'], { allowed: HASH_ALLOWED })).transform(
  (of): Balance => ({ by: 'hash', of }),
)

const BALANCE_ALLOWED = `allowed: ${balanceWords.join(', ')}, or { hash: … } with { header: NAME }, { cookie: NAME } or clientAddress`

/** Which address gets the next request. */
export const balance = z
  .union(
    [
      text(choiceFormat(balanceWords, { allowed: BALANCE_ALLOWED })).transform((by): Balance => ({ by })),
      mapping('balance', {
        hash: z.union([byClientAddress, hashKeys], { error: () => HASH_ALLOWED }).describe('What must be equal.'),
      }).transform(({ hash }) => hash),
    ],
    { error: () => BALANCE_ALLOWED },
  )
  .describe('Which address gets a request: the one with the fewest under way, unless said otherwise.')

export const sticky = mapping('sticky', { cookie: cookieName.describe('Its name.') }).describe(
  'A cookie brings each client back to the address that it was with, as long as that is there.',
)

const PATH_ALLOWED = 'allowed: a path with a slash in front, such as /healthz'

const pathFormat: TextFormat<string> = {
  allowed: PATH_ALLOWED,
  schema: { pattern: '^/[!-~]*$', examples: ['/healthz'] },
  read: (written) => (/^\/[!-"$-~]*$/.test(written) ? written : new Refusal(PATH_ALLOWED)),
}

const HOST_ALLOWED = 'allowed: what a Host field may say, such as app.example.com'

const hostFormat: TextFormat<string> = {
  allowed: HOST_ALLOWED,
  schema: { examples: ['app.example.com'] },
  read: (written) =>
    /^[\w.-]+(:\d{1,5})?$|^\[[\da-fA-F:.]+\](:\d{1,5})?$/.test(written) ? written : new Refusal(HOST_ALLOWED),
}

const pace = (preset: string) => text(durationFormat({ atLeast: '100ms', atMost: '1h' })).prefault(preset)

/** How each address is asked whether it is well. */
export const health = mapping('health', {
  path: text(pathFormat).prefault('/').describe('Asked for with GET.'),
  every: pace('10s').describe('From one check to the next; half a second while it has just gone down.'),
  timeout: pace('2s').describe('For the whole of one.'),
  healthyAfter: count({ atLeast: 1, atMost: 100 }).prefault(1).describe('Checks in a row that succeed.'),
  unhealthyAfter: count({ atLeast: 1, atMost: 100 }).prefault(3).describe('Checks in a row that fail.'),
  status: count({ atLeast: 200, atMost: 599 }).optional().describe('What it must answer; 200 to 399 unless set.'),
  host: text(hostFormat).optional().describe('The Host that is asked for; the address itself unless set.'),
})
  .transform(({ path, every, timeout, healthyAfter, unhealthyAfter, status, host }) => ({
    path,
    host,
    status,
    everyMs: every,
    timeoutMs: timeout,
    healthyAfter,
    unhealthyAfter,
  }))
  .describe('Each address is asked, once for all workers, and gets no requests while it fails.')

export const retries = count({ atLeast: 0, atMost: 10 })
  .prefault(1)
  .describe(
    'Other addresses that a request may go to after one has failed: if nothing was sent, or it is idempotent and what was ' +
      'sent is still at hand. A fifth of the requests of ten seconds, and ten more, may be retried.',
  )

/** The keys of `limits` that bound requests under way, for a site and for an address of an upstream. */
export const concurrencyKeys = {
  concurrent: count({ atLeast: 1, atMost: 1_000_000 })
    .optional()
    .describe(
      'Requests under way at a time, WebSockets included; shared out evenly among the workers. No bound unless set.',
    ),
  queue: count({ atLeast: 0, atMost: 1_000_000 })
    .optional()
    .describe('How many more may wait for their turn; 100 unless set. Beyond: 503 with Retry-After.'),
  wait: text(durationFormat({ atLeast: '1s', atMost: '1h' }))
    .optional()
    .describe('For how long; 10s unless set. Then 503, too.'),
}

/** As in the example of nginx Plus, whose clients wait for 60 s; people have gone by then. */
const QUEUE = 100
const WAIT_MS = 10_000

/** What they mean; undefined where nothing is bounded. A site's keys win over those of `defaults`, one by one. */
export function concurrencyOf(
  own: ConcurrencySettings | undefined,
  others: ConcurrencySettings | undefined = undefined,
): Concurrency | undefined {
  const concurrent = own?.concurrent ?? others?.concurrent
  if (concurrent === undefined) return undefined
  return {
    concurrent,
    queue: own?.queue ?? others?.queue ?? QUEUE,
    waitMs: own?.wait ?? others?.wait ?? WAIT_MS,
  }
}

export type ConcurrencySettings = {
  readonly concurrent?: number | undefined
  readonly queue?: number | undefined
  readonly wait?: number | undefined
}
