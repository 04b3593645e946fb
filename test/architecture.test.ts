import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

// The rules that hold the folders together, checked on the sources' own import statements.

const ROOT = join(import.meta.dirname, '..')

type Source = { readonly path: string; readonly text: string }

const sources: Source[] = globSync('src/**/*.ts', { cwd: ROOT }).map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), 'utf8'),
}))

type Import = { readonly from: string; readonly line: number; readonly to: string; readonly typeOnly: boolean }

const IMPORT = /(?:\bimport|\bexport)(\s+type)?\b[^'"()]*?(?:from\s*|\(\s*|\s)['"]([^'"]+)['"]/g

function importsOf({ path, text }: Source): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = match[2]!
    const to = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : specifier
    return { from: path, line: text.slice(0, match.index).split('\n').length, to, typeOnly: match[1] !== undefined }
  })
}

/** `edge` for `src/edge/tls/x.ts`; undefined outside of src's folders. */
function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1]
}

const CONTROL_PLANE = ['certificates', 'issuers', 'acme', 'challenges', 'storage', 'admin']
const NETWORK = /^node:(net|http|https|http2|tls|dgram|dns)\b/

type Rule = { readonly name: string; readonly isBroken: (edge: Import) => boolean }

const rules: Rule[] = [
  {
    name: 'the data plane and the control plane never import each other: they meet in supervisor/',
    isBroken: ({ from, to }) => {
      const [a, b] = [folderOf(from), folderOf(to)]
      return (a === 'edge' && CONTROL_PLANE.includes(b ?? '')) || (CONTROL_PLANE.includes(a ?? '') && b === 'edge')
    },
  },
  {
    name: 'acme/ knows nothing of files, sites or schedules',
    isBroken: ({ from, to }) =>
      folderOf(from) === 'acme' &&
      (/^node:fs\b/.test(to) ||
        ['storage', 'config', 'certificates', 'issuers', 'supervisor'].includes(folderOf(to) ?? '')),
  },
  {
    name: 'storage/ knows nothing of what it stores',
    isBroken: ({ from, to }) =>
      folderOf(from) === 'storage' && !['storage', 'system', 'telemetry', undefined].includes(folderOf(to)),
  },
  {
    name: 'pki/ turns DER into DER: no network, no files, no other part',
    isBroken: ({ from, to }) =>
      folderOf(from) === 'pki' &&
      (NETWORK.test(to.replace(/^node:net$/, '')) ||
        /^node:fs\b/.test(to) ||
        !['pki', undefined].includes(folderOf(to))),
  },
  {
    name: 'nothing below imports the commands',
    isBroken: ({ from, to }) => !['cli', undefined].includes(folderOf(from)) && folderOf(to) === 'cli',
  },
]

function broken(rule: Rule, checked: readonly Source[]): string[] {
  return checked
    .flatMap(importsOf)
    .filter(rule.isBroken)
    .map(({ from, line, to }) => `${from}:${line} imports ${to}`)
}

for (const rule of rules) test(rule.name, () => assert.deepEqual(broken(rule, sources), []))

test('each rule on imports can fail', () => {
  const offenders: Source[] = [
    { path: 'src/edge/a.ts', text: "import { x } from '../acme/order.ts'" },
    { path: 'src/storage/a.ts', text: "export * from '../edge/edge.ts'" },
    { path: 'src/acme/a.ts', text: "const x = await import('node:fs/promises')" },
    { path: 'src/storage/b.ts', text: "import type { C } from '../pki/certificate.ts'" },
    { path: 'src/pki/a.ts', text: "import {\n  request,\n} from 'node:https'" },
    { path: 'src/edge/b.ts', text: "import '../cli/run.ts'" },
  ]
  for (const rule of rules) assert.notEqual(broken(rule, offenders).length, 0, rule.name)
})

/** Where time and dice may be taken from the machine: where they are wrapped, and for the timeouts of sockets. */
const AMBIENT = /\b(Date\.now\(|new Date\(\)|Math\.random|setTimeout\(|setInterval\()/

function ambientUses(checked: readonly Source[]): string[] {
  return checked
    .filter(({ path }) => !['system', 'edge'].includes(folderOf(path) ?? ''))
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        const code = line.replace(/\/\/.*|^\s*\*.*|\.setTimeout\(/, '')
        return AMBIENT.test(code) ? [`${path}:${index + 1} ${line.trim()}`] : []
      }),
    )
}

test('clock and dice are passed in', () => {
  assert.deepEqual(ambientUses(sources), [])
  assert.equal(ambientUses([{ path: 'src/acme/a.ts', text: 'const now = Date.now()' }]).length, 1)
})

test('no file or folder is a drawer for odds and ends', () => {
  const drawer = /(^|\/)(utils?|helpers?|misc|common|manager)(\/|\.ts$)/
  assert.deepEqual(
    sources.map(({ path }) => path).filter((path) => drawer.test(path)),
    [],
  )
  assert.match('src/edge/utils.ts', drawer)
})

test('no source file has more than 450 lines', () => {
  assert.deepEqual(
    sources.filter(({ text }) => text.split('\n').length > 450).map(({ path }) => path),
    [],
  )
})

test('no files import each other in a circle', () => {
  const graph = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source)
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ to }) => to),
    ]),
  )
  assert.deepEqual(cycles(graph), [])
  assert.equal(
    cycles(
      new Map([
        ['a', ['b']],
        ['b', ['a']],
      ]),
    ).length,
    1,
  )
})

function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
    if (done.has(path) || trail.includes(path)) return
    for (const to of graph.get(path) ?? []) visit(to, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}

test('the README says of each dependency why it is there', () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const readme = existsSync(join(ROOT, 'README.md')) ? readFileSync(join(ROOT, 'README.md'), 'utf8') : ''
  const section = /^## Dependencies\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(readme)?.[1] ?? ''
  const listed = [...section.matchAll(/^\| `([^`]+)` +\|/gm)].map((match) => match[1]!)
  assert.deepEqual(listed.sort(), Object.keys(dependencies).sort())
})
