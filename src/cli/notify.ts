import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { askProgram } from '../admin/client.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { asSentence } from '../errors.ts'
import { createChannels } from '../notices/channels.ts'
import { type TestResult, testChannels } from '../notices/notices.ts'
import { testNotice } from '../notices/wording.ts'
import { systemClock } from '../system/clock.ts'
import { escapeControls } from '../telemetry/line-log.ts'
import { commonOptions, mistakeOf } from './config-argument.ts'
import { tellFailure } from './failure.ts'

const USAGE = 'castellan notify test [--config FILE]'

/** `castellan notify test`: sends a test notice to every channel, by the program that runs if one does, and says what happened. */
export async function notify(args: readonly string[]): Promise<number> {
  const given = readArguments(args)
  if ('mistake' in given) {
    process.stderr.write(`castellan: ${escapeControls(given.mistake)}; usage: ${USAGE}\n`)
    return 2
  }
  try {
    return await test(given.config)
  } catch (error) {
    return tellFailure(error)
  }
}

function readArguments(args: readonly string[]): { readonly config: string } | { readonly mistake: string } {
  try {
    const { config } = commonOptions
    const { values, positionals } = parseArgs({ args: [...args], options: { config }, allowPositionals: true })
    if (positionals.join(' ') === 'test') return values
    return {
      mistake: positionals.length === 0 ? '"notify" needs a command' : `there is no "notify ${positionals.join(' ')}"`,
    }
  } catch (error) {
    return { mistake: mistakeOf(error) }
  }
}

async function test(file: string): Promise<number> {
  const { config } = await loadConfig({ file, env: process.env })
  let [count, failed] = [0, 0]
  for await (const { channel, error } of (await byProgram(config)) ?? byOurselves(config)) {
    const said = error === undefined ? 'the test notice was sent.' : `failed. ${asSentence(error)}`
    process.stdout.write(`${escapeControls(`${channel}: ${said}`)}\n`)
    count++
    if (error !== undefined) failed++
  }
  if (count > 0) return failed > 0 ? 1 : 0
  process.stderr.write('castellan: nobody is told of anything but by the log; name somebody under "notify"\n')
  return 1
}

/** undefined if none runs. It tells by the config that it was started with. */
async function byProgram({ storage }: Config): Promise<AsyncIterable<TestResult> | undefined> {
  const replies = await askProgram(storage.folder, { ask: 'notify-test' }, systemClock)
  if (replies === undefined) return undefined
  return (async function* () {
    for await (const reply of replies) if (reply.type === 'notified') yield reply.result
  })()
}

function byOurselves(config: Config): AsyncIterable<TestResult> {
  const machine = hostname()
  const channels = createChannels(config.notify, machine, systemClock)
  return testChannels(channels, testNotice(machine, systemClock.now()), new AbortController().signal)
}
