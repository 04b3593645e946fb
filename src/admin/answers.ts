import type { OperatedCertificates } from '../certificates/on-demand/at-rest.ts'
import type { Asked } from '../certificates/wish.ts'
import { handleAccounts } from '../issuers/accounts-by-hand.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { MaintenanceReport, MaintenanceWish } from '../maintenance/keeper.ts'
import type { Notices } from '../notices/notices.ts'
import type { AskProbe } from '../preflight/look.ts'
import type { Log } from '../telemetry/log.ts'
import type { OperatorOrders } from './config-reply.ts'
import type { ControlReply, ControlRequest, Health } from './protocol.ts'
import type { OperatedUpstreams } from './upstream-report.ts'

/** What a program says to a request, but for hello and end. Throws CastellanError for what it cannot do. */
export type Answer = (request: ControlRequest) => AsyncIterable<ControlReply>

/** What an operator's requests are about. */
export type Answering = {
  readonly certificates: OperatedCertificates
  readonly issuers: ReadonlyMap<string, Pick<Issuer, 'name' | 'accounts'>>
  readonly probe: AskProbe
  readonly notices: Pick<Notices, 'test'>
  readonly orders: OperatorOrders
  readonly health: () => Health
  readonly maintenance: {
    report(): readonly MaintenanceReport[]
    /** Resolves when the workers do so. Throws CastellanError. */
    change(site: string, wish: MaintenanceWish): Promise<void>
    /** The text of a page. Throws CastellanError. */
    readPage(path: string): Promise<string>
  }
  readonly upstreams: OperatedUpstreams
  /** Aborted when the program stops. */
  readonly signal: AbortSignal
  readonly log: Log
}

/** Answers for the certificates, accounts and notices of a program. What is asked to be done is logged. */
export function operatorAnswers(answering: Answering): Answer {
  const { certificates, issuers, probe, notices, upstreams, health, maintenance, orders, signal, log } = answering
  return async function* answer(request) {
    switch (request.ask) {
      case 'report': {
        for (const report of await certificates.report(request.name)) yield { type: 'certificate', report }
        const counts = request.name === undefined ? await certificates.countOnDemand() : undefined
        if (counts !== undefined) yield { type: 'on-demand', counts }
        return
      }
      case 'retry': {
        const { name } = request
        yield* outcomesOf(await certificates.retry(name === undefined ? 'all' : { name }), 'retry', log)
        return
      }
      case 'renew':
        yield* outcomesOf(await certificates.renew(request.name), 'renew', log)
        return
      case 'spread': {
        const spread = await certificates.spread()
        const message = `Asked by hand to spread out renewals: ${spread.moved} of ${spread.renewals} come earlier.`
        log.info('asked-by-hand', message)
        yield { type: 'spread', spread }
        return
      }
      case 'limits':
        for (const balance of certificates.limits) yield { type: 'limit', balance }
        return
      case 'upstreams':
        for (const report of await upstreams.report()) yield { type: 'upstream', report }
        return
      case 'drain':
        for (const report of await upstreams.drain(request.url)) yield { type: 'upstream', report }
        return
      case 'undrain':
        for (const report of await upstreams.undrain(request.url)) yield { type: 'upstream', report }
        return
      case 'probe':
        yield { type: 'probe', answers: await probe(request.name, request.addresses, 'http-01') }
        return
      case 'health':
        yield { type: 'health', health: health() }
        return
      case 'notify-test':
        log.info('asked-by-hand', 'Asked by hand to send a test notice.')
        for await (const result of notices.test()) yield { type: 'notified', result }
        return
      case 'revoke':
        yield* outcomesOf(await certificates.revoke(request.name, request.reason), 'revoke', log)
        return
      case 'import':
        yield* outcomesOf(await certificates.import(request.files), 'import', log)
        return
      case 'accounts': {
        const { action, issuer } = request
        if (action !== 'show')
          log.info('asked-by-hand', `Asked by hand for ${action} of the account at ${issuer ?? 'each CA'}.`)
        for (const report of await handleAccounts(issuers.values(), { action, issuer }, signal))
          yield { type: 'account', report }
        return
      }
      case 'maintenance': {
        const { site, action, forMs, page } = request
        if (site !== undefined && action !== undefined)
          await maintenance.change(site, { action, forMs, page: page && (await maintenance.readPage(page)) })
        for (const report of maintenance.report()) yield { type: 'maintenance', report }
        return
      }
      case 'reload':
        if (!request.isDryRun) log.info('asked-by-hand', 'Asked by hand to take up the config.')
        yield { type: 'config', reply: await orders[request.isDryRun ? 'foresee' : 'reload'](request.file) }
        return
      case 'upgrade':
        log.info('asked-by-hand', 'Asked by hand for another program to take over.')
        yield { type: 'upgrade', reply: await orders.upgrade() }
        return
      default:
        request satisfies never
    }
  }
}

/** In the order in which they come to their end. */
async function* outcomesOf(
  asked: readonly Asked[],
  what: 'retry' | 'renew' | 'revoke' | 'import',
  log: Log,
): AsyncGenerator<ControlReply> {
  const ids = asked.map(({ id }) => id)
  if (ids.length > 0) log.info('asked-by-hand', `Asked by hand to ${what} ${ids.join(', ')}.`, { certificates: ids })
  yield { type: 'begun', count: asked.length }
  const pending = new Map(asked.map((each) => [each.id, endOf(each)]))
  while (pending.size > 0) {
    const ended = await Promise.race(pending.values())
    pending.delete(ended.certificate.id)
    yield ended
  }
}

async function endOf({ outcome, ...certificate }: Asked): Promise<Extract<ControlReply, { type: 'outcome' }>> {
  return { type: 'outcome', certificate, outcome: await outcome }
}
