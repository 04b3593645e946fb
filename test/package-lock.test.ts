import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

type Package = { readonly version?: string; readonly optionalDependencies?: Readonly<Record<string, string>> }

/** By path from the root of the project (`node_modules/a/node_modules/b`); the project itself is ``. */
type Packages = Readonly<Record<string, Package>>

const MODULES = 'node_modules/'

/** Where Node would look for a package that is asked for at a path: below it, then below each of those above. */
function* placesOf(name: string, path: string): Generator<string> {
  for (let above = path; above !== ''; above = above.slice(0, Math.max(0, above.lastIndexOf(`/${MODULES}`))))
    yield `${above}/${MODULES}${name}`
  yield MODULES + name
}

/** What packages may want on some platform, and what the lock does not have. */
function lackingIn(packages: Packages): string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => ![...placesOf(name, path)].some((place) => packages[place]?.version !== undefined))
      .map((name) => `${name}, which ${path || 'the project'} may want`),
  )
}

// npm writes only this machine's binaries into a lock that it makes beside a node_modules; `npm ci` then fails elsewhere.
test('the lock has an entry for every optional dependency, of whatever platform', () => {
  const { packages } = JSON.parse(readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8')) as {
    packages: Packages
  }
  const binaries = Object.keys(packages).filter((path) => /(linux|darwin|win32)-(x64|arm64)/.test(path))
  assert.ok(binaries.length > 5, 'the platforms are where this test looks for them')
  assert.deepEqual(lackingIn(packages), [])
})

test('a lock without the binaries of another platform is found out, wherever npm would have put them', () => {
  const tool = { version: '1.0.0', optionalDependencies: { 'tool-linux': '1.0.0', 'tool-darwin': '1.0.0' } }
  const binary = { version: '1.0.0' }
  const lack = ['tool-darwin, which node_modules/a/node_modules/tool may want']
  const inside = 'node_modules/a/node_modules/tool'
  assert.deepEqual(lackingIn({ [inside]: tool, 'node_modules/tool-linux': binary }), lack)
  for (const place of ['node_modules/', 'node_modules/a/node_modules/', `${inside}/node_modules/`])
    assert.deepEqual(
      lackingIn({ [inside]: tool, 'node_modules/tool-linux': binary, [`${place}tool-darwin`]: binary }),
      [],
    )
  assert.deepEqual(
    lackingIn({ [inside]: tool, 'node_modules/tool-linux': binary, 'node_modules/b/node_modules/tool-darwin': binary }),
    lack,
  )
  assert.deepEqual(lackingIn({ '': tool, 'node_modules/tool-linux': binary }), [
    'tool-darwin, which the project may want',
  ])
})
