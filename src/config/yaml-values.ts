import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml'
import { type Path, Refusal } from './problem.ts'
import { type Environment, substitute } from './substitution.ts'

/** Where a value stands: offsets into the text. */
export type Place = {
  /** Where its key starts; undefined for the items of a list and for the top. */
  readonly key: number | undefined
  readonly value: number
  /** The text before its variables were replaced, if it has any. */
  readonly written: string | undefined
  /** Of a mapping or a list. */
  readonly children: ReadonlyMap<string | number, Place> | undefined
}

/** What cannot be a value or a key, and where it stands. A refused key leaves the value at its path as it is. */
export type RefusedPart = {
  readonly path: Path
  readonly refusal: Refusal
  readonly offset: number
  readonly of: 'key' | 'value'
}

export type Values = {
  readonly value: unknown
  readonly place: Place
  readonly refusals: readonly RefusedPart[]
  /** False if reading stopped because aliases stand for too much: what was read means nothing then. */
  readonly complete: boolean
}

/** The config itself is seven levels deep. */
const MAX_DEPTH = 20

/** Values that aliases may add: each of 5,000 sites can repeat a block of 20, but ten aliases of ten cannot explode. */
const MAX_ALIASED_VALUES = 100_000

/**
 * The plain values of a YAML document (null-prototype objects, arrays, scalars), aliases followed and variables
 * replaced, with the place of each. Whatever cannot be a value is refused. `locate` puts an offset into words
 * (`castellan.yaml:3:5`).
 */
export function readValues(contents: Node, env: Environment, locate: (offset: number) => string): Values {
  return new ValueReader(env, locate).read(contents)
}

type Entry = { readonly value: unknown; readonly place: Place }

const TOO_DEEP = new Refusal('write it with fewer levels', { found: `found more than ${MAX_DEPTH} levels of nesting` })

const VALUES_ALLOWED = 'allowed: text, numbers, true, false, lists and mappings'

class ValueReader {
  readonly #env: Environment
  readonly #locate: (offset: number) => string
  readonly #refusals: RefusedPart[] = []
  readonly #anchors = new Map<string, Node>()
  #aliasDepth = 0
  #aliasedValues = 0

  constructor(env: Environment, locate: (offset: number) => string) {
    this.#env = env
    this.#locate = locate
  }

  read(contents: Node): Values {
    const entry = this.#value(contents, [], undefined)
    return { ...entry, refusals: this.#refusals, complete: !this.#exhausted }
  }

  get #exhausted(): boolean {
    return this.#aliasedValues > MAX_ALIASED_VALUES
  }

  #value(node: Node | null, path: Path, key: number | undefined): Entry {
    const place: Place = { key, value: node?.range?.[0] ?? key ?? 0, written: undefined, children: undefined }
    if (node === null) return { value: null, place }
    if (this.#aliasDepth > 0) this.#aliasedValues++
    if (this.#exhausted) return { value: null, place }
    if (path.length > MAX_DEPTH) return this.#refuse(path, place, TOO_DEEP)
    if (isAlias(node)) return this.#alias(node.source, path, place)
    // An anchor holds from where it stands (YAML 1.2.2 §7.1); those inside of what an alias repeats are known by then.
    if (node.anchor !== undefined && this.#aliasDepth === 0) this.#anchors.set(node.anchor, node)
    if (isMap(node)) return this.#mapping(node, path, place)
    if (isSeq(node)) return this.#list(node, path, place)
    return this.#scalar(isScalar(node) ? node.value : undefined, path, place)
  }

  #refuse(path: Path, place: Place, refusal: Refusal): Entry {
    this.#refusals.push({ path, refusal, offset: place.value, of: 'value' })
    return { value: null, place }
  }

  #alias(name: string, path: Path, place: Place): Entry {
    const target = this.#anchors.get(name)
    if (target === undefined)
      return this.#refuse(
        path,
        place,
        new Refusal(`allowed: an anchor above it, &${name}`, { found: `found the alias *${name}` }),
      )
    this.#aliasDepth++
    const entry = this.#value(target, path, place.key)
    this.#aliasDepth--
    if (this.#exhausted && this.#aliasDepth === 0) {
      const found = `found aliases that stand for more than ${MAX_ALIASED_VALUES} values`
      return this.#refuse(path, place, new Refusal('write out what is needed', { found }))
    }
    return { value: entry.value, place: { ...entry.place, key: place.key, value: place.value } }
  }

  #mapping(node: YAMLMap, path: Path, place: Place): Entry {
    const value: Record<string, unknown> = Object.create(null)
    const children = new Map<string | number, Place>()
    for (const pair of node.items as Pair<Scalar<string>, Node | null>[]) {
      const key = pair.key.value
      const offset = pair.key.range?.[0] ?? place.value
      const refusal = this.#refuseKey(key, children.get(key))
      if (refusal !== undefined) {
        this.#refusals.push({ path: [...path, key], refusal, offset, of: 'key' })
        continue
      }
      const entry = this.#value(pair.value, [...path, key], offset)
      children.set(key, entry.place)
      value[key] = entry.value
    }
    return { value, place: { ...place, children } }
  }

  #refuseKey(key: string, first: Place | undefined): Refusal | undefined {
    // Everything below would lose it in silence: it names the prototype of objects.
    if (key === '__proto__') return new Refusal('choose another', { found: 'found a key that cannot be used' })
    if (first === undefined) return undefined
    const found = `found the key a second time, first at ${this.#locate(first.key ?? first.value)}`
    return new Refusal('write each key once', { found })
  }

  #list(node: YAMLSeq, path: Path, place: Place): Entry {
    const entries = (node.items as Node[]).map((item, index) => this.#value(item, [...path, index], undefined))
    const children = new Map(entries.map((entry, index) => [index, entry.place]))
    return { value: entries.map(({ value }) => value), place: { ...place, children } }
  }

  #scalar(value: unknown, path: Path, place: Place): Entry {
    if (value === null || typeof value === 'number' || typeof value === 'boolean') return { value, place }
    if (typeof value !== 'string')
      return this.#refuse(path, place, new Refusal(VALUES_ALLOWED, { found: 'found a value of another kind' }))
    if (!value.includes('${')) return { value, place }
    const replaced = substitute(value, this.#env)
    const written = { ...place, written: value }
    return replaced instanceof Refusal ? this.#refuse(path, written, replaced) : { value: replaced, place: written }
  }
}
