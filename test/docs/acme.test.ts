import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { recommendations } from '../../src/audit/recommendations.ts'

// What docs/acme.md says can be looked up: files, titles of tests, keys of the config, commands, and the audit's ids.

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'docs')

type Page = { readonly text: string }

type Row = { readonly what: string; readonly keys: string; readonly proof: string }

function rowsOf({ text }: Page): Row[] {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| (recommended|---)/.test(line))
  return rows.map((row) => {
    const cells = row.split(' | ')
    return { what: row, keys: cells[3] ?? '', proof: cells[4] ?? '' }
  })
}

const LINK = /\[([^\]]+)\]\(([^)\s]+)(?: "([^"]+)")?\)/g

/** Links that lead nowhere, and proofs that are no test's title. */
function brokenLinks({ text }: Page): string[] {
  return [...text.matchAll(LINK)].flatMap(([, label, target, title]) => {
    if (/^https:/.test(target!)) return []
    const path = join(FOLDER, target!)
    if (!existsSync(path)) return [`${target} is not there`]
    if (!/\.test\.ts$/.test(path)) return []
    const name = title ?? label!
    return readFileSync(path, 'utf8').includes(`test('${name}'`) ? [] : [`${target} has no test "${name}"`]
  })
}

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
}

/** Whether the schema has a key; NAME stands for any name. */
function hasKey(schema: Schema, path: readonly string[]): boolean {
  const [first, ...rest] = path
  if (first === undefined) return true
  const { properties = {}, additionalProperties, anyOf = [], items } = schema
  if (Object.hasOwn(properties, first) && hasKey(properties[first]!, rest)) return true
  if (first === 'NAME' && typeof additionalProperties === 'object' && hasKey(additionalProperties, rest)) return true
  return [...anyOf, ...(items === undefined ? [] : [items])].some((each) => hasKey(each, path))
}

const schema: Schema = JSON.parse(readFileSync(join(ROOT, 'config.schema.json'), 'utf8'))

function unknownKeys(page: Page): string[] {
  return rowsOf(page)
    .flatMap(({ keys }) => [...keys.matchAll(/`([^`]+)`/g)].map(([, key]) => key!))
    .filter((key) => !hasKey(schema, key.split('.')))
}

function unknownCommands({ text }: Page): string[] {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const commands = [...text.matchAll(/`(castellan [a-z]+(?: [a-z]+)?)[^`]*`/g)].map(([, command]) => command!)
  return commands.filter((command) => !readme.includes(`\`${command}`))
}

/** Of the audit, what the page does not name in parentheses. */
function unnamed({ text }: Page): string[] {
  const named = new Set([...text.matchAll(/\(([a-z0-9-]+(?:, [a-z0-9-]+)*)\)/g)].flatMap(([, ids]) => ids!.split(', ')))
  return recommendations.map(({ id }) => id).filter((id) => !named.has(id))
}

const page: Page = { text: readFileSync(join(FOLDER, 'acme.md'), 'utf8') }

test('docs/acme.md has a proof for each recommendation, and each is a test that is there', () => {
  const rows = rowsOf(page)
  assert.ok(rows.length > 30, `${rows.length}`)
  for (const { what, proof } of rows) assert.match(proof, /^\[.*\]\(\.\.\/test\/.*\.test\.ts/, what)
  assert.deepEqual(brokenLinks(page), [])
})

test('the keys that docs/acme.md names are keys of the config, and its commands are in the README', () => {
  assert.deepEqual(unknownKeys(page), [])
  assert.deepEqual(unknownCommands(page), [])
})

test('what the audit looks at is in docs/acme.md', () => {
  assert.deepEqual(unnamed(page), [])
})

test('what is not so is found', () => {
  const wrong = {
    text: `| a | b | \`castellan dance NAME\` | \`issuers.NAME.dances\`, \`storage\` | [a restart orders nothing](../test/none.test.ts) |
[a restart orders all](../test/certificates/renewal.test.ts) [x](../src/none.ts)`,
  }
  assert.deepEqual(brokenLinks(wrong), [
    '../test/none.test.ts is not there',
    '../test/certificates/renewal.test.ts has no test "a restart orders all"',
    '../src/none.ts is not there',
  ])
  assert.deepEqual(unknownKeys(wrong), ['issuers.NAME.dances'])
  assert.deepEqual(unknownCommands(wrong), ['castellan dance'])
  assert.equal(unnamed(wrong).length, recommendations.length)
})
