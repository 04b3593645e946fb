import { CastellanError } from '../errors.ts'
import { escapeControls } from '../telemetry/line-log.ts'

/** One thing wrong with the config (or, among warnings, worth a second thought), in words that say what to do. */
export type ConfigProblem = {
  /** As the operator would write it: relative if the config was named so. Without a file, the name of a variable or option. */
  readonly file: string
  /** From 1; undefined where the problem is the file as a whole, or there is none. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** `sites."a.example".aliases[0]`; undefined where the problem has no key, as in a YAML syntax error. */
  readonly key: string | undefined
  readonly found: string
  readonly allowed: string
}

/**
 * `castellan.yaml:4:3: sites."a.example".upsteam: unknown key; did you mean "upstream"? allowed: …`: one line, in which
 * nothing that stood in the file, or in its name, gives orders to a terminal or turns the direction of the text.
 */
export function formatProblem({ key, found, allowed, ...position }: ConfigProblem): string {
  return escapeControls(`${formatPosition(position)}: ${key === undefined ? '' : `${key}: `}${found}; ${allowed}`)
}

/** `castellan.yaml:4:3`, or what there is without a line. */
export function formatPosition({ file, line, column }: Pick<ConfigProblem, 'file' | 'line' | 'column'>): string {
  return line === undefined ? file : `${file}:${line}:${column}`
}

/** Absolute paths of the files that a config is made of, and patterns of more that it includes. */
export type ConfigSources = { readonly files: readonly string[]; readonly patterns: readonly string[] }

/** The config cannot be used. Its message has a line for each problem, in the order of the file. */
export class ConfigError extends CastellanError {
  declare readonly code: 'config-invalid'
  readonly problems: readonly ConfigProblem[]
  /** What it was read from, as far as that came. */
  readonly sources: ConfigSources

  constructor(file: string, problems: readonly ConfigProblem[], sources: ConfigSources = { files: [], patterns: [] }) {
    const lines = problems.map(formatProblem)
    const count = lines.length === 1 ? '1 problem' : `${lines.length} problems`
    super('config-invalid', `The config ${file} has ${count}:\n${lines.join('\n')}`, { file, problems: lines })
    this.problems = problems
    this.sources = sources
  }
}

/** Steps from the top of a document to a value: keys and list positions. */
export type Path = readonly (string | number)[]

/** `sites."a.example".aliases[0]`; undefined for the document itself. */
export function formatPath(path: Path): string | undefined {
  if (path.length === 0) return undefined
  return path.map(formatStep).join('')
}

function formatStep(step: string | number, index: number): string {
  if (typeof step === 'number') return `[${step}]`
  const key = /^[A-Za-z_][\w-]*$/.test(step) ? step : JSON.stringify(step)
  return index === 0 ? key : `.${key}`
}

/**
 * Why a value is refused. Only `hint` may repeat the value, and is left out where that came from the environment, which
 * may hold secrets; the rest may name files.
 */
export class Refusal {
  /** What is wrong with it, to follow the value: `which has no port`. */
  readonly fault: string | undefined
  /** What to write instead: `allowed: …`. */
  readonly allowed: string
  /** A likely correction: `did you mean "http://localhost:3000"?` */
  readonly hint: string | undefined
  /** Takes the place of `found "the value", fault`. */
  readonly found: string | undefined

  constructor(allowed: string, reason: { fault?: string; hint?: string | undefined; found?: string } = {}) {
    this.allowed = allowed
    this.fault = reason.fault
    this.hint = reason.hint
    this.found = reason.found
  }
}

/** Whoever reads a config must be told the same wherever a part of it is still to be built. */
export const NOT_SUPPORTED_YET = 'not supported yet'

/** Long enough for any name or URL that makes sense, short enough for a terminal. */
const MAX_SHOWN_CHARACTERS = 100

/**
 * A value in words, for `found`. User names and passwords before a host are blotted out, also where a slash in the password
 * or the lack of a scheme keeps the text from being a URL.
 */
export function showValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value !== 'string') return String(value)
  const masked = value.replace(/\/\/\S*@/g, '//***@').replace(/^(?!mailto:)[^\s:/]*:(?!\/\/)\S*@/, '***@')
  const short = masked.length > MAX_SHOWN_CHARACTERS ? `${masked.slice(0, MAX_SHOWN_CHARACTERS)}…` : masked
  return JSON.stringify(short)
}
