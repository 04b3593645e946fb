import type { z } from 'zod'
import { type Document, valueAt } from './document.ts'
import { type ConfigProblem, NOT_SUPPORTED_YET, type Path, Refusal } from './problem.ts'
import { keysOf, refusalOf } from './schema-elements.ts'
import { didYouMean } from './suggestion.ts'

/** What a document says, as far as its form is right, and what is wrong with the rest. */
export type Form<T> = {
  /** Undefined only if the document is no mapping at all. What is wrong is left out, a site or an issuer as a whole. */
  readonly settings: T | undefined
  readonly problems: readonly ConfigProblem[]
}

/** Checks a document against its schema: keys, types, and the form of every text. */
export function checkForm<T>(document: Document, schema: z.ZodType<T>): Form<T> {
  const result = schema.safeParse(document.value)
  if (result.success && document.problems.length === 0) return { settings: result.data, problems: [] }
  const faults = result.success ? [] : result.error.issues.flatMap((issue) => faultsOf(issue))
  const refused = new Set(document.refusedPaths.map((path) => JSON.stringify(path)))
  const isNew = ({ path }: Fault): boolean => !refused.has(JSON.stringify(path))
  const problems = [...document.problems, ...faults.filter(isNew).map((fault) => faultProblem(fault, document))]
  const sound = without(document.value, [...document.refusedPaths, ...faults.map(({ path }) => path)])
  return { settings: schema.safeParse(sound).data, problems }
}

type Fault = { readonly path: Path; readonly refusal: Refusal; readonly of: 'key' | 'value' }

function faultProblem({ path, refusal, of }: Fault, document: Document): ConfigProblem {
  const spot = document.spot(...path)
  return of === 'key' ? spot.keyProblem(refusal) : spot.problem(refusal)
}

function faultsOf(issue: z.core.$ZodIssue, parent: Path = []): Fault[] {
  const path = [...parent, ...(issue.path as Path)]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], refusal: unknownKey(key, issue.message), of: 'key' }))
    case 'invalid_union': {
      const branch = issue.errors.find((issues) => !issues.some(isWrongType))
      if (branch !== undefined) return branch.flatMap((inner) => faultsOf(inner, path))
      return [{ path, refusal: new Refusal(issue.message), of: 'value' }]
    }
    default:
      return [{ path, refusal: refusalOf(issue) ?? new Refusal(issue.message), of: 'value' }]
  }
}

/** Whether a branch of a union is not even of the type of what was found: then another branch was meant. */
function isWrongType(issue: z.core.$ZodIssue): boolean {
  if (issue.path.length > 0) return false
  if (issue.code === 'invalid_union') return issue.errors.every((issues) => issues.some(isWrongType))
  return issue.code === 'invalid_type'
}

function unknownKey(key: string, mapping: string): Refusal {
  const { allowed, later } = keysOf(mapping)
  if (later.includes(key)) return new Refusal('remove it', { found: NOT_SUPPORTED_YET })
  const hint = didYouMean(key, allowed)
  return new Refusal(`allowed: ${allowed.join(', ')}`, { found: 'unknown key', hint })
}

/** Sections whose entries are only of use as a whole. */
const ENTRIES = new Set<string | number | undefined>(['sites', 'issuers'])

/** A copy without the values at these paths: whole entries of sites and issuers, and whole lists. */
function without(value: unknown, paths: readonly Path[]): unknown {
  const copy: unknown = structuredClone(value)
  for (const path of paths) {
    const firstItem = path.findIndex((step) => typeof step === 'number')
    const end = ENTRIES.has(path[0]) ? Math.min(2, path.length) : firstItem < 0 ? path.length : firstItem
    remove(copy, path.slice(0, end))
  }
  return copy
}

function remove(value: unknown, path: Path): void {
  const holder = valueAt(value, path.slice(0, -1))
  const last = path.at(-1)
  if (typeof holder === 'object' && holder !== null && last !== undefined) Reflect.deleteProperty(holder, last)
}
