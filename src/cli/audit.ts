import { type Audited, audit } from '../audit/recommendations.ts'
import { systemClock } from '../system/clock.ts'
import { formatJson } from '../telemetry/line-log.ts'
import { gatherFacts } from './audit/gathering.ts'
import { formatOnDemand } from './certs/words.ts'
import { optionsOnly } from './config-argument.ts'
import { tellFailure } from './failure.ts'
import { formatTable } from './table.ts'

/** `castellan audit`: each recommendation of Let's Encrypt's Integration Guide, whether it is kept here, and the evidence. */
export async function auditInstallation(args: readonly string[]): Promise<number> {
  const given = optionsOnly('audit', args)
  if (given === undefined) return 2
  try {
    const facts = await gatherFacts(given.config, systemClock)
    const audited = audit(facts)
    const isKept = audited.every(({ verdict }) => verdict !== 'fail')
    if (given.json)
      process.stdout.write(
        formatJson({ running: facts.isRunning, kept: isKept, recommendations: audited, onDemand: facts.onDemand }),
      )
    else process.stdout.write(`${formatAudit(audited)}${formatOnDemand(facts.onDemand)}`)
    return isKept ? 0 : 1
  } catch (error) {
    return tellFailure(error)
  }
}

export function formatAudit(audited: readonly Audited[]): string {
  const rows = audited.map(({ id, text, verdict, evidence }) => {
    return { cells: [verdict === 'not applicable' ? '-' : verdict, id, text], notes: [evidence] }
  })
  const count = (verdict: Audited['verdict']): number => audited.filter((each) => each.verdict === verdict).length
  const sum = `${count('pass')} kept, ${count('fail')} not kept, ${count('not applicable')} not applicable here.`
  return `${formatTable(['', 'ID', 'RECOMMENDATION'], rows)}\n${sum}\n`
}
