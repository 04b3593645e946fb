import { z } from 'zod'
import type { Path } from './problem.ts'
import { configSchema, secretKeys } from './schema.ts'

/** A key of the config that a variable can set. */
export type EnvironmentKey = {
  readonly path: Path
  /** A list takes several values, with commas between them. */
  readonly takes: 'text' | 'list'
  /** The variable holds the path of a file with the secret. */
  readonly isFile: boolean
  /** What the key is for. */
  readonly about: string
}

/** Stands for the one site, or for an issuer that the variable names. */
export const ANY = '*'

/** Sections that only a file can have, or that are said of the one site itself. */
const LEFT_OUT: ReadonlySet<string> = new Set(['sites', 'include', 'defaults'])

type Schema = z.core.JSONSchema.BaseSchema

/**
 * Every key that can be set without a file, by the name of its variable without `CASTELLAN_`: the path of the key in capitals,
 * an underscore between words and between steps. There is one site, so its keys stand without a prefix, as those of `listen`
 * do; what is the same for `upstream` alone and for `upstream.to` is UPSTREAM. In `ISSUERS_*_DIRECTORY` the asterisk is the
 * issuer's name. A secret is also taken from a file, by its variable with `_FILE` at the end.
 */
export function environmentKeys(): ReadonlyMap<string, EnvironmentKey> {
  const root: Schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' })
  const { contact, acceptTerms, listen, storage, ...sections } = properties(root)
  const site = properties(root).sites?.additionalProperties as Schema
  const keys = new Map<string, EnvironmentKey>()
  keys.set('SITE', { path: ['sites'], takes: 'list', isFile: false, about: 'The name of the site, then its aliases.' })
  collect(site, ['sites', ANY], '', keys)
  collect(listen!, ['listen'], '', keys)
  for (const [name, section] of Object.entries({ storage, contact, acceptTerms, ...sections }))
    if (!LEFT_OUT.has(name)) collect(section!, [name], nameOf(name), keys)
  keys.delete('ALIASES')
  return keys
}

function properties(schema: Schema): Readonly<Record<string, Schema>> {
  return (branchesOf(schema).find((branch) => branch.properties !== undefined)?.properties ?? {}) as Record<
    string,
    Schema
  >
}

/** What it may be. A mapping's own choices say which of its keys go together. */
function branchesOf(schema: Schema): Schema[] {
  if (schema.anyOf === undefined || schema.properties !== undefined) return [schema]
  return (schema.anyOf as Schema[]).flatMap(branchesOf)
}

function collect(schema: Schema, path: Path, name: string, keys: Map<string, EnvironmentKey>): void {
  const branches = branchesOf(schema)
  const items = branches.flatMap((branch) => (branch.type === 'array' ? branchesOf(branch.items as Schema) : []))
  const holder = branches.find((branch) => branch.properties !== undefined)
  const isList = items.some(isPlain)
  if (name !== '' && (isList || branches.some(isPlain)))
    addKey(name, { path, takes: isList ? 'list' : 'text', isFile: false, about: aboutOf(schema) }, keys)
  // Of a list of mappings there is one, if it may stand without its brackets.
  for (const [key, value] of Object.entries(holder?.properties ?? {}))
    collect(value as Schema, [...path, key], joined(name, nameOf(key)), keys)
  const record = branches.find((branch) => typeof branch.additionalProperties === 'object')
  // Of all that has names of its own, an issuer alone is something that a single site needs.
  if (record !== undefined && path.length === 1)
    collect(record.additionalProperties as Schema, [...path, ANY], joined(name, ANY), keys)
}

function addKey(name: string, key: EnvironmentKey, keys: Map<string, EnvironmentKey>): void {
  const { path } = key
  const last = path.at(-1)
  // `upstream: URL` is short for `upstream: { to: URL }`, and only the long form can have other settings beside it.
  if (last === 'upstream') return void keys.set(name, { ...key, path: [...path, 'to'] })
  if (last === 'to' && path.at(-2) === 'upstream') return
  keys.set(name, key)
  if (secretKeys.has(String(last))) keys.set(`${name}_FILE`, { ...key, isFile: true })
}

/** Where the choices have no description of their own, that of one of them is meant. */
function aboutOf(schema: Schema): string {
  return schema.description ?? branchesOf(schema).find(({ description }) => description)?.description ?? ''
}

function isPlain({ type, properties, enum: words }: Schema): boolean {
  return words !== undefined || (properties === undefined && type !== 'object' && type !== 'array')
}

/** `trustedProxies` is TRUSTED_PROXIES. */
function nameOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

function joined(name: string, step: string): string {
  return name === '' ? step : `${name}_${step}`
}
