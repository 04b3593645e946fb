import type { CertificateReport } from '../certificates/report.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { certificateKind } from '../edge/tls/certificate-kind.ts'
import { errorCode } from '../errors.ts'
import { systemClock } from '../system/clock.ts'
import { printJson } from './certs/json.ts'
import { lookIn } from './certs/looking.ts'
import { goodUntil, issuerOf } from './certs/words.ts'
import { EXPLAIN_USAGE, readExplainArguments } from './explain/asked-request.ts'
import { type Explanation, explain, type ShownCertificate } from './explain/explanation.ts'
import { liveState } from './explain/live-state.ts'
import { tellFailure } from './failure.ts'
import { formatFacts } from './table.ts'

/** `castellan explain METHOD URL`: what would become of a request, step by step, and why. */
export async function explainRequest(args: readonly string[]): Promise<number> {
  const given = readExplainArguments(args)
  if ('mistake' in given) {
    process.stderr.write(`castellan: ${given.mistake}; usage: ${EXPLAIN_USAGE}\n`)
    return 2
  }
  try {
    const { config } = await loadConfig({ file: given.config, env: process.env })
    const { request } = given
    const name = request.scheme === 'http' ? undefined : (request.serverName ?? config.fallback)
    const shown = name === undefined ? [] : await shownFor(name, config)
    const explanation = explain(config, request, shown, await liveState(config.storage.folder))
    if (given.json) printJson(explanation)
    else process.stdout.write(formatExplanation(explanation))
    return 0
  } catch (error) {
    return tellFailure(error)
  }
}

/** The certificates for a name, those first that clients are shown first. */
async function shownFor(name: string, config: Config): Promise<ShownCertificate[]> {
  const now = systemClock.now()
  const held = (await reportsFor(name, config)).filter((report) => report.held !== undefined)
  const ranked = held.toSorted((a, b) => rankOf(a) - rankOf(b))
  return ranked.map((report, index) => {
    const { keyKind = 'a kind of key that Castellan does not make', held } = report
    const who = index === 0 ? 'to clients that can verify it' : 'to the others'
    const words = `${keyKind}, ${ranked.length === 1 ? 'to all clients' : who}: from ${issuerOf(report)}, good until ${goodUntil(report, now)}`
    return { names: held!.names, words }
  })
}

async function reportsFor(name: string, config: Config): Promise<readonly CertificateReport[]> {
  try {
    return (await lookIn(config, name)).reports
  } catch (error) {
    // The program that runs refuses with the code alone.
    if (errorCode(error) === 'certificate-unknown') return []
    throw error
  }
}

/** OpenSSL has names of its own for curves. */
const EDGE_NAMES = new Map([
  ['ecdsa-p256', 'prime256v1'],
  ['ecdsa-p384', 'secp384r1'],
])

function rankOf({ keyKind }: CertificateReport): number {
  if (keyKind === undefined) return Number.POSITIVE_INFINITY
  return certificateKind(EDGE_NAMES.get(keyKind) ?? keyKind)?.rank ?? Number.POSITIVE_INFINITY
}

export function formatExplanation({ steps, outcome, why }: Explanation): string {
  const facts = steps.map(({ step, is }) => [step, is] as const)
  const logged = why === undefined ? [] : [['in the log', `why: ${why}`] as const]
  return formatFacts([...facts, ['answer', outcome], ...logged])
}
