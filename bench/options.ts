import { parseArgs } from 'node:util'
import { describeError } from '../src/errors.ts'
import { BenchError } from './bench-error.ts'

export type BenchOptions = {
  /** Names of scenarios and of peers, in the order in which they are shown. */
  readonly only: readonly string[]
  readonly peers: readonly string[]
  readonly rounds: number
  /** How long one load of one peer lasts, where a scenario goes by time. */
  readonly seconds: number
  readonly profile: boolean
  /** Where the figures go, besides the table. */
  readonly json: string | undefined
  readonly help: boolean
}

export type KnownNames = { readonly scenarios: readonly string[]; readonly peers: readonly string[] }

const DEFAULT_ROUNDS = '5'
const DEFAULT_SECONDS = '3'
/** More are no more exact, and a slip of the finger must not run for a day. */
const MAX_ROUNDS = 100
const MAX_SECONDS = 60

/** Reads the arguments. Throws BenchError `options-invalid`, with what is allowed. */
export function parseOptions(args: readonly string[], known: KnownNames): BenchOptions {
  const values = readArguments(args)
  return {
    only: chosen('--only', values.only, known.scenarios),
    peers: chosen('--peers', values.peers, known.peers),
    rounds: count('--rounds', values.rounds, MAX_ROUNDS),
    seconds: count('--seconds', values.seconds, MAX_SECONDS),
    profile: values.profile,
    json: values.json,
    help: values.help,
  }
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string', multiple: true, default: [] },
        peers: { type: 'string', multiple: true, default: [] },
        rounds: { type: 'string', default: DEFAULT_ROUNDS },
        seconds: { type: 'string', default: DEFAULT_SECONDS },
        profile: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (cause) {
    throw new BenchError('options-invalid', describeError(cause), { cause })
  }
}

/** Those of `known` that are named, separated by commas; all if none is. */
function chosen(option: string, lists: readonly string[], known: readonly string[]): string[] {
  const named = lists.flatMap((list) => list.split(',')).map((name) => name.trim())
  const unknown = named.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new BenchError('options-invalid', `${option}: there is no "${unknown}"; allowed: ${known.join(', ')}`)
  return named.length === 0 ? [...known] : known.filter((name) => named.includes(name))
}

function count(option: string, text: string, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= max) return value
  throw new BenchError('options-invalid', `${option} takes a whole number from 1 to ${max}, not "${text}"`)
}

export function usage({ scenarios, peers }: KnownNames): string {
  return `Measures Castellan side by side with other proxies, on this machine's loopback.

  npm run bench -- [--only NAME,…] [--peers NAME,…] [--rounds N] [--seconds N] [--json FILE] [--profile]

  --only      scenarios: ${scenarios.join(', ')}
  --peers     ${peers.join(', ')}
  --rounds    how often each is measured, in turns; ${DEFAULT_ROUNDS} unless given
  --seconds   how long one load lasts; ${DEFAULT_SECONDS} unless given
  --json      writes every round's figures there, too
  --profile   leaves a .cpuprofile of Castellan's worker for each scenario in bench/profiles/
`
}
