import { dirname } from 'node:path'
import { LineCounter, parseDocument, type YAMLError } from 'yaml'
import { type ConfigProblem, formatPath, formatPosition, type Path, type Refusal, showValue } from './problem.ts'
import { secretHolders, secretKeys } from './schema.ts'
import type { Environment } from './substitution.ts'
import type { TextFile } from './text-file.ts'
import { type Place, readValues, type Values } from './yaml-values.ts'

/** Where a value stands, as problems name it. A file has lines; what stands by itself has a name, and neither they nor keys. */
export type Position = Pick<ConfigProblem, 'file' | 'line' | 'column'>

/** Finds what stands at an offset, or what would hold the value at a path if there were one. */
export type Positions = (offset: number, path: Path) => Position

/** A YAML file, or an environment, as plain values, each of which can be found again where it was written. */
export class Document {
  /** As problems name it. */
  readonly file: string
  /** Absolute: what relative paths in it are relative to. */
  readonly folder: string
  readonly value: unknown
  /** What was found wrong while reading it. */
  readonly problems: readonly ConfigProblem[]
  /** Where values were refused while reading. */
  readonly refusedPaths: readonly Path[]
  readonly #root: Place
  readonly #positions: Positions

  constructor(names: DocumentNames, values: Values, positions: Positions) {
    this.file = names.file
    this.folder = dirname(names.path)
    this.value = values.value
    this.#root = values.place
    this.#positions = positions
    this.refusedPaths = values.refusals.filter(({ of }) => of === 'value').map(({ path }) => path)
    this.problems = values.refusals.map(({ path, refusal, offset }) => this.spot(...path).problem(refusal, offset))
  }

  /** The value at a path, which need not exist. */
  spot(...path: Path): Spot {
    return new Spot(this, path)
  }

  /** Where a path leads, as far as it does. */
  place(path: Path): { readonly place: Place; readonly exists: boolean } {
    let place = this.#root
    for (const step of path) {
      const next = place.children?.get(step)
      if (next === undefined) return { place, exists: false }
      place = next
    }
    return { place, exists: true }
  }

  position(offset: number, path: Path): Position {
    return this.#positions(offset, path)
  }
}

/** A value's place in a document: what a problem points at. */
export class Spot {
  readonly document: Document
  readonly path: Path

  constructor(document: Document, path: Path) {
    this.document = document
    this.path = path
  }

  at(...steps: Path): Spot {
    return new Spot(this.document, [...this.path, ...steps])
  }

  /** The items of a list, or the value itself if it stands there without its brackets. */
  item(index: number): Spot {
    return Array.isArray(this.value) ? this.at(index) : this
  }

  get value(): unknown {
    return valueAt(this.document.value, this.path)
  }

  /** A problem with the value (or at another offset); if there is no value, with what should hold it. */
  problem(refusal: Refusal, at?: number): ConfigProblem {
    const { place, exists } = this.document.place(this.path)
    if (!exists) return this.#report(at ?? place.key ?? place.value, refusal, refusal.found ?? 'found nothing')
    const secret = this.#mayBeSecret()
    const shown = secret ? 'a value' : showValue(place.written ?? this.value)
    // What stands in a mapping or a list may be lines below the key that a problem is about.
    const offset = at ?? (place.children === undefined ? place.value : (place.key ?? place.value))
    const hint = secret || place.written !== undefined ? undefined : refusal.hint
    return this.#report(offset, refusal, foundText(refusal, shown), hint)
  }

  #mayBeSecret(): boolean {
    const isText = typeof this.value !== 'object'
    const holder = this.path.findLast((step) => typeof step === 'string')
    if (isText && secretHolders.has(holder ?? '')) return true
    return this.path.some((key) => typeof key === 'string' && secretKeys.has(key))
  }

  /** A problem with the key that leads here. */
  keyProblem(refusal: Refusal): ConfigProblem {
    const { place } = this.document.place(this.path)
    return this.#report(
      place.key ?? place.value,
      refusal,
      foundText(refusal, showValue(this.path.at(-1))),
      refusal.hint,
    )
  }

  /** `castellan.yaml:3:5`, where its key, or the item of a list, starts. */
  get location(): string {
    const { place } = this.document.place(this.path)
    return formatPosition(this.document.position(place.key ?? place.value, this.path))
  }

  #report(offset: number, refusal: Refusal, found: string, hint?: string): ConfigProblem {
    const position = this.document.position(offset, this.path)
    return {
      ...position,
      key: position.line === undefined ? undefined : formatPath(this.path),
      found,
      allowed: hint === undefined ? refusal.allowed : `${hint} ${refusal.allowed}`,
    }
  }
}

function foundText({ found, fault }: Refusal, shown: string): string {
  return found ?? (fault === undefined ? `found ${shown}` : `found ${shown}, ${fault}`)
}

/** The value that a path leads to, if there is one. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((holder, step) => {
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, step)) return undefined
    return (holder as Record<string | number, unknown>)[step]
  }, value)
}

/** `file` is how the operator calls it, `path` where it is: absolute. */
export type DocumentNames = { readonly file: string; readonly path: string }

/** Reads YAML: a document, or the problems that keep it from being one. */
export function readDocument(
  names: DocumentNames,
  content: TextFile,
  env: Environment,
): { readonly document: Document } | { readonly problems: readonly ConfigProblem[] } {
  const { file } = names
  if ('fault' in content) return { problems: [unreadable(file, content)] }
  const lineCounter = new LineCounter()
  // Errors would quote the lines around them, and so secrets; repeated keys are found faster, and with both places,
  // in readValues.
  const options = { lineCounter, prettyErrors: false, uniqueKeys: false, stringKeys: true } as const
  const yaml = parseDocument(content.text, options)
  const errors = [...yaml.errors, ...yaml.warnings]
  if (errors.length > 0) return { problems: syntaxProblems(file, errors, lineCounter) }
  if (yaml.contents === null) return { problems: [emptyFile(file)] }
  const positions = (offset: number): Position => {
    const { line, col } = lineCounter.linePos(offset)
    return { file, line, column: col }
  }
  const values = readValues(yaml.contents, env, (offset) => formatPosition(positions(offset)))
  const document = new Document(names, values, positions)
  return values.complete ? { document } : { problems: document.problems }
}

function unreadable(file: string, { fault, line, column }: Exclude<TextFile, { text: string }>): ConfigProblem {
  const allowed = 'allowed: a YAML file in UTF-8 that this user may read'
  return { file, line, column, key: undefined, found: `cannot be read: ${fault}`, allowed }
}

/** One mistake is often many to a parser: what comes after these would only hide the first. */
const MAX_SYNTAX_PROBLEMS = 10

/** One for each line, from the top. */
function syntaxProblems(file: string, errors: readonly YAMLError[], lines: LineCounter): ConfigProblem[] {
  const byLine = new Map<number | undefined, ConfigProblem>()
  for (const error of errors.toSorted((a, b) => a.pos[0] - b.pos[0])) {
    const problem = syntaxProblem(file, error, lines)
    if (!byLine.has(problem.line)) byLine.set(problem.line, problem)
  }
  return [...byLine.values()].slice(0, MAX_SYNTAX_PROBLEMS)
}

/** In place of the parser's words where these are for programmers. */
const SYNTAX_REASONS: Partial<Record<YAMLError['code'], string>> = {
  MULTIPLE_DOCS: 'a second document after ---',
  NON_STRING_KEY: 'a key that is not text',
  RESOURCE_EXHAUSTION: 'far too deep a nesting',
}

const SYNTAX_ADVICE: Partial<Record<YAMLError['code'], string>> = {
  MULTIPLE_DOCS: 'a config is one document: remove the line ---, or give the rest a file of its own',
  TAB_AS_INDENT: 'indent with spaces',
}

function syntaxProblem(file: string, error: YAMLError, lines: LineCounter): ConfigProblem {
  const { line, col } = lines.linePos(error.pos[0])
  // Some messages end in the text that was found, which may be a secret.
  const reason = SYNTAX_REASONS[error.code] ?? error.message.replace(/: ".*$/s, '')
  const allowed = SYNTAX_ADVICE[error.code] ?? 'check indentation, quotes and brackets here and on the line before'
  return { file, line, column: col, key: undefined, found: `found what is not YAML: ${reason}`, allowed }
}

function emptyFile(file: string): ConfigProblem {
  const allowed = 'allowed: at least "sites:" with a name and the URL of its app'
  return { file, line: 1, column: 1, key: undefined, found: 'found an empty file', allowed }
}
