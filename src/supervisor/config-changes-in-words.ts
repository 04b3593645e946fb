import type { ConfigChanges } from '../admin/config-reply.ts'

/** More than a person reads are counted. */
const MAX_LISTED = 10

/** What has changed (`done`) or would (`foreseen`): a phrase for each kind of thing, in the order of their weight. */
export function inWords(
  { sites, listeners, certificates, settings }: ConfigChanges,
  tense: 'done' | 'foreseen',
): string[] {
  const verb = (done: string, foreseen: string): string => (tense === 'done' ? done : foreseen)
  const phrases: [string, readonly string[]][] = [
    [verb('sites added', 'sites to be added'), sites.added],
    [verb('sites removed', 'sites to be removed'), sites.removed],
    [verb('sites changed', 'sites to be changed'), sites.changed],
    [verb('listeners opened', 'listeners to be opened'), listeners.opened],
    [verb('listeners closed', 'listeners to be closed'), listeners.closed],
    ['certificates to be ordered', certificates.toOrder.map(orderInWords)],
    [verb('settings changed', 'settings to be changed'), settings],
  ]
  return phrases.filter(([, things]) => things.length > 0).map(([what, things]) => `${what}: ${listed(things)}`)
}

function orderInWords({ names, keyKind, issuers }: ConfigChanges['certificates']['toOrder'][number]): string {
  return `${keyKind} for ${listed(names)} from ${issuers.join(' or ')}`
}

function listed(things: readonly string[]): string {
  const more = things.length > MAX_LISTED ? ` and ${things.length - MAX_LISTED} more` : ''
  return `${things.slice(0, MAX_LISTED).join(', ')}${more}`
}
