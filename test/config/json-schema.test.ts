import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parse } from 'yaml'
import { z } from 'zod'
import { configJsonSchema, formatJsonSchema } from '../../src/config/json-schema.ts'

const root = new URL('../../', import.meta.url)

/** What an editor would say: zod reads JSON Schema, too. */
const editor = z.fromJSONSchema(configJsonSchema() as Parameters<typeof z.fromJSONSchema>[0])
const accepts = (yaml: string): boolean => editor.safeParse(parse(yaml)).success

test('config.schema.json is current (npm run schema)', async () => {
  assert.equal(await readFile(new URL('config.schema.json', root), 'utf8'), formatJsonSchema())
})

test('the schema names its draft and has a title, and every key has a description', () => {
  const schema = configJsonSchema()
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema')
  assert.equal(schema.title, 'Castellan')
  const undescribed: string[] = []
  JSON.stringify(schema, function (this: unknown, key, value: unknown) {
    if (key === 'properties' && typeof value === 'object' && value !== null)
      for (const [name, property] of Object.entries(value))
        if (property !== true && !property.description) undescribed.push(name)
    return value
  })
  assert.deepEqual(undescribed, [])
})

test('the schema knows nothing of keys that are not supported yet', () => {
  const text = formatJsonSchema()
  for (const key of ['dns', 'admin']) assert.doesNotMatch(text, new RegExp(`"${key}"`))
})

test('an editor accepts the example, and what stands in its comments', async () => {
  const example = await readFile(new URL('config.example.yaml', root), 'utf8')
  assert.match(example, /^# yaml-language-server: \$schema=\.\/config\.schema\.json\n/)
  assert.ok(accepts(example))
})

test('an editor accepts every form of a value, and variables in its place', () => {
  const good = [
    'workers: 4',
    'listen: { https: ":443", http: [] }',
    'listen: { https: ["[::]:443", "fd:3", "unix:/x"] }',
    'timeouts: { drain: 500ms }',
    'sites: { a.example: { upstream: "unix:/x", hsts: on, redirect: off } }',
    'sites: { a.example: { redirectTo: "https://b.example", hsts: { maxAge: 60d } } }',
    'sites: { a.example: { upstream: "http://h", hsts: { ramp: on } }, b.example: { upstream: "http://h", hsts: retire } }',
    'defaults: { issuer: internal, certificate: { keys: rsa-2048 } }',
    'sites: { "*": { upstream: "unix:/x", onDemand: { ask: "http://h/may-i", perHour: { names: 5 } } } }',
    `log: { level: "\${LEVEL}", access: "\${ACCESS}" }`,
    `sites: { a.example: "http://\${HOST}:\${PORT}" }`,
    `workers: "\${WORKERS}"`,
  ]
  for (const yaml of good) assert.ok(accepts(yaml), yaml)
})

test('an editor warns of unknown keys and values', () => {
  const bad = [
    'metrics: 9180',
    'workers: 0',
    'workers: many',
    'listen: { https: 443 }',
    'timeouts: { drain: 10 }',
    'timeouts: { drain: 10 s }',
    'sites: { a.example: localhost:3000 }',
    'sites: { a.example: { upsteam: "http://h" } }',
    'sites: { a.example: { upstream: "http://h", hsts: retired } }',
    'defaults: { certificate: { keys: [rsa2048] } }',
    'log: { level: inf }',
  ]
  for (const yaml of bad) assert.ok(!accepts(yaml), yaml)
})
