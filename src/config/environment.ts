import { resolve } from 'node:path'
import { ENVIRONMENT, SITE_VARIABLE } from './config-source.ts'
import { Document, type Position } from './document.ts'
import { ANY, type EnvironmentKey, environmentKeys } from './environment-keys.ts'
import { type ConfigProblem, type Path, showValue } from './problem.ts'
import type { Environment } from './substitution.ts'
import { didYouMean } from './suggestion.ts'
import type { Place } from './yaml-values.ts'

const PREFIX = 'CASTELLAN_'

/** Options of `castellan proxy` stand in the environment of the process that reads them by their own names. */
const OPTION = '--'

/** What an option is called where it has a name of its own. */
const OPTION_NAMES: Readonly<Record<string, string>> = { SITE: '--from', UPSTREAM: '--to' }

/** What Kubernetes and Docker set for a service that is called "castellan", or by a name that begins so. */
const OF_SERVICES = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/

/** The option of `castellan proxy` that sets what a variable sets, by the variable's name without `CASTELLAN_`. */
export function optionOf(name: string): string {
  return OPTION_NAMES[name] ?? `${OPTION}${name.toLowerCase().replaceAll('_', '-')}`
}

/**
 * The settings of the environment as a document, like that of a file with one site. Problems with it bear the name of the
 * variable in the place of file and line. One that is empty is as if it were not there.
 */
export function readEnvironment(env: Environment): {
  readonly document: Document
  readonly problems: readonly ConfigProblem[]
} {
  const reader = new EnvironmentReader(env)
  const names = { file: ENVIRONMENT, path: resolve('environment') }
  const values = { value: reader.value, place: reader.place, refusals: [], complete: true }
  return { document: new Document(names, values, reader.positions), problems: reader.problems }
}

type Node = { readonly variable: number; readonly children: Map<string | number, Node>; value: unknown }

/** Where there is no variable for something. */
const NOWHERE = -1

class EnvironmentReader {
  readonly problems: ConfigProblem[] = []
  readonly #keys = environmentKeys()
  readonly #variables: string[] = []
  readonly #root: Node = { variable: NOWHERE, children: new Map(), value: Object.create(null) }
  readonly #site: string

  constructor(env: Environment) {
    const options = new Map([...this.#keys.keys()].map((name) => [optionOf(name), name]))
    const given = Object.entries(env).filter(([, text]) => text !== undefined && text !== '') as [string, string][]
    const settings = new Map<string, { readonly variable: string; readonly text: string }>()
    for (const [variable, text] of given) {
      if (!variable.startsWith(PREFIX) || isNamedIn(variable, given)) continue
      settings.set(variable.slice(PREFIX.length), { variable, text })
    }
    for (const [variable, text] of given) {
      if (!variable.startsWith(OPTION)) continue
      const name = options.get(variable) ?? variable.slice(OPTION.length).toUpperCase().replaceAll('-', '_')
      settings.set(name, { variable, text })
    }
    this.#site = itemsOf(settings.get('SITE')?.text ?? '')[0] ?? ''
    for (const [name, { variable, text }] of settings) this.#read(name, variable, text)
  }

  get value(): unknown {
    return this.#root.value
  }

  get place(): Place {
    return placeOf(this.#root)
  }

  /** The variable at an offset, or, if nothing stands at the path, the one that would set it. */
  readonly positions = (offset: number, path: Path): Position => {
    const isThere = this.#along(path).length === path.length
    const variable = isThere ? undefined : this.#variableFor(path)
    return at(variable ?? this.#variables[offset] ?? SITE_VARIABLE)
  }

  #variableFor(path: Path): string | undefined {
    const plain = path.map((step, index) => (path[0] === 'sites' && index === 1 ? ANY : step))
    const text = JSON.stringify(plain)
    for (const [name, key] of this.#keys) if (JSON.stringify(key.path) === text) return `${PREFIX}${name}`
    return undefined
  }

  #read(name: string, variable: string, text: string): void {
    const key = this.#keys.get(name) ?? this.#keyWithName(name)
    if (key === undefined) {
      if (!OF_SERVICES.test(variable)) this.problems.push(this.#unknown(name, variable))
      return
    }
    const offset = this.#variables.push(variable) - 1
    if (name === 'SITE') return this.#readSite(text, offset)
    const path = key.path.map((step, index) => (key.path[0] === 'sites' && index === 1 ? this.#site : step))
    // A site's settings without the site: that is one problem, and said once.
    if (path[0] === 'sites' && this.#site === '') return
    this.#put(path, key.isFile ? `file:${text}` : key.takes === 'list' ? listOf(text) : text, offset)
  }

  /** The first is the site, and the others its aliases. */
  #readSite(text: string, offset: number): void {
    const [, ...aliases] = itemsOf(text)
    const at: Path = ['sites', this.#site]
    this.#hold(at, offset)
    if (aliases.length > 0) this.#put([...at, 'aliases'], aliases, offset)
  }

  /** `ISSUERS_CORP_CA_DIRECTORY` is of the issuer `corp-ca`; the shortest name counts. */
  #keyWithName(name: string): EnvironmentKey | undefined {
    let best: { readonly key: EnvironmentKey; readonly own: string } | undefined
    for (const [pattern, key] of this.#keys) {
      const [head, tail] = pattern.split(ANY)
      if (head === undefined || tail === undefined || !name.startsWith(head) || !name.endsWith(tail)) continue
      const own = name.slice(head.length, name.length - tail.length)
      if (own !== '' && (best === undefined || own.length < best.own.length)) best = { key, own }
    }
    if (best === undefined) return undefined
    const { key, own } = best
    const path = key.path.map((step) => (step === ANY ? own.toLowerCase().replaceAll('_', '-') : step))
    return { ...key, path }
  }

  #unknown(name: string, variable: string): ConfigProblem {
    const spell = (known: string): string => (variable.startsWith(OPTION) ? optionOf(known) : `${PREFIX}${known}`)
    const similar = didYouMean(name, this.#keys.keys())?.replace(/"(.*)"/, (_, known) => JSON.stringify(spell(known)))
    const what = variable.startsWith(OPTION) ? 'an option' : 'a variable'
    const allowed = `${similar === undefined ? '' : `${similar} `}"castellan variables" lists them`
    return { ...at(variable), key: undefined, found: `found ${what} that is none`, allowed }
  }

  /** The mapping at a path, and those above it. undefined if something else stands there. */
  #hold(path: Path, offset: number): Node | undefined {
    let node = this.#root
    for (const step of path) {
      let next = node.children.get(step)
      if (next === undefined) {
        next = { variable: offset, children: new Map(), value: Object.create(null) }
        node.children.set(step, next)
        ;(node.value as Record<string | number, unknown>)[step] = next.value
      }
      if (typeof next.value !== 'object' || Array.isArray(next.value)) return undefined
      node = next
    }
    return node
  }

  #put(path: Path, value: unknown, offset: number): void {
    const last = path.at(-1)!
    const holder = this.#hold(path.slice(0, -1), offset)
    const other = holder === undefined ? this.#along(path).at(-1) : holder.children.get(last)
    if (holder === undefined || other !== undefined) return this.#refuse(offset, value, other)
    const children = Array.isArray(value) ? value.map((item) => leaf(item, offset)).entries() : []
    holder.children.set(last, { ...leaf(value, offset), children: new Map(children) })
    ;(holder.value as Record<string | number, unknown>)[last] = value
  }

  /** What there is on the way to a path. */
  #along(path: Path): Node[] {
    const nodes: Node[] = []
    for (const step of path) {
      const next: Node | undefined = (nodes.at(-1) ?? this.#root).children.get(step)
      if (next === undefined) break
      nodes.push(next)
    }
    return nodes
  }

  /** `HSTS=on` and `HSTS_MAX_AGE=1d` say the same thing in two ways. */
  #refuse(offset: number, value: unknown, other: Node | undefined): void {
    const fault = `but ${this.#variables[other?.variable ?? offset]} says it, too`
    const found = `found ${showValue(value)}, ${fault}`
    this.problems.push({ ...at(this.#variables[offset]!), key: undefined, found, allowed: 'set one of the two' })
  }
}

function at(variable: string): Position {
  return { file: variable, line: undefined, column: undefined }
}

function leaf(value: unknown, variable: number): Node {
  return { variable, value, children: new Map() }
}

function placeOf({ variable, value, children }: Node): Place {
  const isHolder = typeof value === 'object' && value !== null
  const places = new Map([...children].map(([step, child]) => [step, placeOf(child)]))
  const key = variable === NOWHERE ? undefined : variable
  return { key, value: variable, written: undefined, children: isHolder ? places : undefined }
}

function itemsOf(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** `[]` is a list of none, as in a file. */
function listOf(text: string): string | string[] {
  return text.trim() === '[]' ? [] : itemsOf(text)
}

/** A secret that another variable asks for by `env:NAME` has whatever name it was given. */
function isNamedIn(variable: string, given: readonly (readonly [string, string])[]): boolean {
  return given.some(([, text]) => text === `env:${variable}`)
}
