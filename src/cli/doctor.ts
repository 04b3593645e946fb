import { parseArgs } from 'node:util'
import { siteNameFormat } from '../config/site-name.ts'
import { worst } from '../doctor/finding.ts'
import { systemClock } from '../system/clock.ts'
import { formatJson } from '../telemetry/line-log.ts'
import { commonOptions, mistakeOf } from './config-argument.ts'
import { examine } from './doctor/examination.ts'
import { formatFindings } from './doctor/words.ts'
import { tellFailure } from './failure.ts'

/** `castellan doctor [NAME…]`: looks at everything that must be well, and says what is not and what to do about it. */
export async function doctor(args: readonly string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === 'string') {
    process.stderr.write(`castellan: ${given}; usage: castellan doctor [NAME…] [--config FILE] [--json]\n`)
    return 2
  }
  try {
    const { isRunning, findings } = await examine(given, systemClock)
    const verdict = worst(findings)
    if (given.json) process.stdout.write(formatJson({ running: isRunning, verdict, findings }))
    else process.stdout.write(formatFindings(findings, isRunning))
    return verdict === 'fail' ? 1 : 0
  } catch (error) {
    return tellFailure(error)
  }
}

function readArguments(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: commonOptions,
      allowPositionals: true,
    })
    return { ...values, names: positionals.map(canonical) }
  } catch (error) {
    return mistakeOf(error)
  }
}

/** As the config would have it: punycode, lower case. */
function canonical(text: string): string {
  const name = siteNameFormat.read(text)
  return typeof name === 'string' ? name : text
}
