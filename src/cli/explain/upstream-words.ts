import type { UpstreamReport } from '../../admin/upstream-report.ts'
import type { Balance, Concurrency } from '../../config/balancing.ts'
import type { Upstream } from '../../config/config.ts'
import { formatUpstream } from '../../edge/upstream/upstream-name.ts'
import type { ExplainedStep } from './explanation.ts'

/** The addresses of an upstream, in the order of the config. */
export function addressesOf({ targets }: Upstream): string[] {
  return targets.map(({ address }) => formatUpstream(address))
}

/** How the addresses of an upstream share its requests, and how it stands with those that are not well. */
export function* explainUpstream(upstream: Upstream, reports: readonly UpstreamReport[]): Generator<ExplainedStep> {
  const { targets, balancing } = upstream
  const { balance, everyAddress, sticky, retries, health, concurrency } = balancing
  yield {
    step: 'upstream',
    is: `${addressesOf(upstream).join(' or ')}${everyAddress ? ', at each of its addresses' : ''}`,
  }
  if (targets.length > 1 || everyAddress) {
    const weights = targets.map(({ weight }) => weight)
    const parts = [
      chooserWords(balance),
      ...(weights.some((weight) => weight !== weights[0]) ? [`weights ${weights.join(' : ')}`] : []),
      ...(sticky === undefined ? [] : [`who has the cookie ${sticky} comes back to the same`]),
      retries === 0 ? 'no other is tried after a failure' : `up to ${retries} more after a failure`,
    ]
    yield { step: 'balance', is: parts.join('; ') }
  }
  if (concurrency !== undefined) yield { step: 'limits', is: `of each address, ${concurrencyWords(concurrency)}` }
  if (health !== undefined)
    yield { step: 'health', is: `GET ${health.path} every ${health.everyMs / 1000} s says whether an address is well` }
  for (const { url, state, why } of reportsOn(upstream, reports))
    if (state !== 'up' && state !== 'unchecked')
      yield { step: 'now', is: `${url} is ${state}${why === undefined ? '' : `: ${why.replace(/\.$/, '')}`}` }
}

/** Whether the program knows that no address takes requests: then they are refused. */
export function takesNothing(upstream: Upstream, reports: readonly UpstreamReport[]): boolean {
  const known = reportsOn(upstream, reports)
  const isOut = ({ state }: UpstreamReport): boolean => ['drained', 'draining', 'down'].includes(state)
  return !upstream.balancing.everyAddress && known.length === upstream.targets.length && known.every(isOut)
}

/** Those of its addresses; but what checks say is of no concern to an upstream that has none. */
function reportsOn(upstream: Upstream, reports: readonly UpstreamReport[]): UpstreamReport[] {
  const addresses = new Set(addressesOf(upstream))
  const isChecked = upstream.balancing.health !== undefined
  return reports.filter(({ url, state }) => addresses.has(url) && (isChecked || state !== 'down'))
}

const CHOOSERS = {
  leastRequests: 'the one with the fewest requests under way for its weight',
  roundRobin: 'in turns',
  random: 'of two at random the less busy',
  firstAvailable: 'the first that is there',
}

function chooserWords(balance: Balance): string {
  if (balance.by !== 'hash') return `${balance.by}: ${CHOOSERS[balance.by]}`
  if (balance.of === 'clientAddress') return 'hash: the same for the same client address'
  return `hash: the same for the same value of the ${balance.of} ${balance.name}, and random without one`
}

/** How many requests may be under way at a time. */
export function concurrencyWords({ concurrent, queue, waitMs }: Concurrency): string {
  return `${concurrent} requests at a time; ${queue} more wait, for ${waitMs / 1000} s at the most; beyond: 503`
}
