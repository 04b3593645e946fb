import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

// The rules that hold the folders together, checked on the sources. Each rule is shown to catch what it forbids.

const ROOT = join(import.meta.dirname, '..')

type Source = { readonly path: string; readonly text: string }

type Import = {
  readonly from: string
  readonly line: number
  /** A path from the root for a file of ours, else the specifier. */
  readonly to: string
  readonly isTypeOnly: boolean
  /** What stands between `import` and `from`. */
  readonly clause: string
}

const STATIC = /^(?:import|export)\b(?<clause>[^'"=();]*?)(?:\bfrom\b)?\s*['"](?<specifier>[^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"`](?<specifier>[^'"`]+)['"`]/g
const COMMENT_OR_TEXT = /\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g

/** Keeps the lines where they are. */
function withoutComments(text: string): string {
  return text.replace(COMMENT_OR_TEXT, (match) => (match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match))
}

function importsOf({ path, text }: Source): Import[] {
  const code = withoutComments(text)
  return [...code.matchAll(STATIC), ...code.matchAll(DYNAMIC)].map(({ index, groups }) => {
    const { specifier, clause = '' } = groups as { specifier: string; clause?: string }
    const to = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : specifier
    const line = code.slice(0, index).split('\n').length
    return { from: path, line, to, isTypeOnly: /^\s+type\b/.test(clause), clause }
  })
}

/** `edge` for `src/edge/tls/x.ts`; undefined outside of src's folders. */
function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1]
}

function isIn(path: string, folders: readonly string[]): boolean {
  return folders.includes(folderOf(path) ?? '')
}

type Rule = {
  readonly name: string
  /** `path:line what is wrong`, for each place that breaks the rule. */
  readonly check: (sources: readonly Source[]) => string[]
  /** Each of them breaks the rule by itself; some take more than one file. */
  readonly wrong: readonly (Source | readonly Source[])[]
  /** None of them does, alike as they look. */
  readonly right: readonly Source[]
}

/** A rule that looks at one import at a time. */
function importRule(name: string, isWrong: (it: Import) => boolean, examples: Pick<Rule, 'wrong' | 'right'>): Rule {
  const check = (sources: readonly Source[]): string[] =>
    sources
      .flatMap(importsOf)
      .filter(isWrong)
      .map(({ from, line, to }) => `${from}:${line} imports ${to}`)
  return { name, check, ...examples }
}

/** A rule that looks at one line at a time, comments aside. */
function lineRule(
  name: string,
  isWrong: (line: string, path: string) => boolean,
  examples: Pick<Rule, 'wrong' | 'right'>,
) {
  const check = (sources: readonly Source[]): string[] =>
    sources.flatMap(({ path, text }) =>
      withoutComments(text)
        .split('\n')
        .flatMap((line, index) => (isWrong(line, path) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
    )
  return { name, check, ...examples }
}

const source = (path: string, text = ''): Source => ({ path: `src/${path}`, text })

const CONTROL_PLANE = [
  'certificates',
  'issuers',
  'acme',
  'challenges',
  'preflight',
  'doctor',
  'hsts',
  'maintenance',
  'audit',
  'drill',
  'storage',
  'admin',
  'notices',
]
const BEYOND_ACME = ['storage', 'config', 'certificates', 'issuers', 'challenges', 'admin', 'supervisor', 'edge', 'cli']
const NETWORK = /^node:(net|http|https|http2|tls|dgram|dns)\b/
/** What node:net knows of addresses without a socket. */
const ADDRESSES_ONLY = /^\s*\{(\s*(isIP|isIPv4|isIPv6|BlockList)\s*,?)+\s*\}\s*$/

/** The modules of Node that it has in another way than by an import. */
const NETWORK_OF_OURS = /^src\/system\/(http|https|tls)\.ts$/

function reachesNetwork({ to, clause }: Import): boolean {
  if (NETWORK_OF_OURS.test(to)) return true
  return NETWORK.test(to) && !(to === 'node:net' && ADDRESSES_ONLY.test(clause))
}

const CLOCK_OR_DICE = /\bDate\.now\b|\bnew Date(\(\)|(?!\())|\bMath\.random\b/
const TIMER = /(?<!\.)\bset(Timeout|Interval)\b|\bglobalThis\.set|['"]node:timers/

const DRAWERS = ['util', 'utils', 'helper', 'helpers', 'misc', 'common', 'manager']
const MAX_LINES = 450

const rules: Rule[] = [
  importRule(
    'of what an import would load a great deal with, src/system has it',
    ({ to, isTypeOnly }) => /^node:(http|https|tls)$/.test(to) && !isTypeOnly,
    {
      wrong: ['http', 'https', 'tls'].map((name) => source('acme/a.ts', `import { type X, x } from 'node:${name}'`)),
      right: [source('edge/a.ts', "import type { X } from 'node:tls'\nimport { tls } from '../system/tls.ts'")],
    },
  ),
  importRule(
    'the data plane and the control plane never import each other: they meet in supervisor/',
    ({ from, to }) =>
      (isIn(from, ['edge']) && isIn(to, CONTROL_PLANE)) ||
      (isIn(to, ['edge']) && !isIn(from, ['edge', 'supervisor', 'cli']) && from !== 'src/main.ts'),
    {
      wrong: [
        ...CONTROL_PLANE.map((folder) => source('edge/tls/a.ts', `import { x } from '../../${folder}/x.ts'`)),
        ...CONTROL_PLANE.map((folder) => source(`${folder}/a.ts`, "import type { X } from '../edge/x.ts'")),
        source('config/a.ts', "export * from '../edge/x.ts'"),
        source('edge/a.ts', "const x = await import('../acme/order.ts')"),
        source('edge/b.ts', "import {\n  x, // it's x\n  y,\n} from '../acme/order.ts'"),
        source('edge/c.ts', "import '../storage/file.ts'"),
      ],
      right: [
        source('supervisor/a.ts', "import { x } from '../edge/x.ts'\nimport { y } from '../acme/y.ts'"),
        source('cli/a.ts', "import { x } from '../edge/x.ts'\nimport { y } from '../acme/y.ts'"),
        source('main.ts', "import { x } from './edge/x.ts'"),
        source('edge/a.ts', "// import { x } from '../acme/x.ts'\nimport { y } from './y.ts'"),
        source('edge/b.ts', "export const x = new URL('../acme/x.ts', import.meta.url)"),
      ],
    },
  ),
  importRule(
    'acme/ knows nothing of files, sites or schedules',
    ({ from, to }) => isIn(from, ['acme']) && (/^node:fs\b/.test(to) || isIn(to, BEYOND_ACME)),
    {
      wrong: [
        source('acme/a.ts', "const x = await import('node:fs/promises')"),
        ...BEYOND_ACME.map((folder) => source('acme/a.ts', `import { x } from '../${folder}/x.ts'`)),
      ],
      right: [source('acme/a.ts', "import { x } from '../pki/x.ts'\nimport { https } from '../system/https.ts'")],
    },
  ),
  importRule(
    'storage/ knows nothing of what it stores',
    ({ from, to }) =>
      isIn(from, ['storage']) && folderOf(to) !== undefined && !isIn(to, ['storage', 'system', 'telemetry']),
    {
      wrong: ['certificates', 'pki', 'acme', 'config', 'edge'].map((folder) =>
        source('storage/a.ts', `import type { X } from '../${folder}/x.ts'`),
      ),
      right: [source('storage/a.ts', "import { x } from '../system/clock.ts'\nimport { y } from '../errors.ts'")],
    },
  ),
  importRule(
    'pki/ turns DER into DER: no network, no files, no other part',
    (it) =>
      isIn(it.from, ['pki']) &&
      (reachesNetwork(it) ||
        /^node:fs\b/.test(it.to) ||
        (it.to.startsWith('src/') && it.to !== 'src/errors.ts' && !isIn(it.to, ['pki', 'system']))),
    {
      wrong: [
        ...['net', 'http', 'https', 'http2', 'tls', 'dgram', 'dns', 'dns/promises', 'fs/promises'].map((module) =>
          source('pki/a.ts', `import {\n  x,\n} from 'node:${module}'`),
        ),
        source('pki/a.ts', "import { isIP, connect } from 'node:net'"),
        source('pki/a.ts', "import { tls } from '../system/tls.ts'"),
        source('pki/a.ts', "import { x } from '../telemetry/log.ts'"),
        source('pki/a.ts', "import { x } from '../version.ts'"),
      ],
      right: [
        source('pki/a.ts', "import { BlockList, isIP } from 'node:net'\nimport { x } from '../errors.ts'"),
        source('pki/b.ts', "import { x } from '../system/clock.ts'\nimport { y } from 'jose'"),
      ],
    },
  ),
  importRule(
    'nothing below imports the commands',
    ({ from, to }) => folderOf(from) !== undefined && !isIn(from, ['cli']) && isIn(to, ['cli']),
    {
      wrong: [source('supervisor/a.ts', "import '../cli/run.ts'")],
      right: [source('main.ts', "import { run } from './cli/run.ts'")],
    },
  ),
  lineRule('clock and dice are passed in', (line, path) => !isIn(path, ['system']) && CLOCK_OR_DICE.test(line), {
    wrong: ['Date.now()', 'new Date()', 'new Date', 'Math.random()'].flatMap((use) => [
      source('acme/a.ts', `const x = ${use}`),
      source('edge/a.ts', `const x = 'https://a.example' + ${use}`),
      source('telemetry/a.ts', `const x = ${use}`),
    ]),
    right: [
      source('system/clock.ts', 'const now = Date.now()'),
      source('acme/a.ts', 'const x = new Date(clock.now()) // not new Date()'),
      source('edge/a.ts', 'const x = performance.now()'),
    ],
  }),
  lineRule(
    'waiting is done by the clock that is passed in; only sockets have timers of their own',
    (line, path) => !isIn(path, ['system', 'edge']) && TIMER.test(line),
    {
      wrong: [
        source('acme/a.ts', 'setTimeout(retry, 10)'),
        source('acme/b.ts', 'const timer = setInterval(retry, 10)'),
        source('acme/c.ts', 'globalThis.setTimeout(retry, 10)'),
        source('acme/d.ts', "import { scheduler } from 'node:timers/promises'"),
      ],
      right: [
        source('acme/a.ts', 'request.setTimeout(10)'),
        source('edge/a.ts', 'setTimeout(abort, 10)'),
        source('acme/b.ts', '/* unlike\n   setTimeout( */'),
      ],
    },
  ),
  {
    name: 'no file or folder is a drawer for odds and ends',
    check: (sources) =>
      sources
        .map(({ path }) => path)
        .filter((path) => path.split('/').some((part) => DRAWERS.includes(basename(part, '.ts')))),
    wrong: [...DRAWERS.map((name) => source(`edge/${name}.ts`)), source('utils/a.ts'), source('edge/common/a.ts')],
    right: [source('edge/common-name.ts')],
  },
  {
    name: `no source file has more than ${MAX_LINES} lines`,
    check: (sources) =>
      sources.flatMap(({ path, text }) => {
        const lines = text.replace(/\n$/, '').split('\n').length
        return lines > MAX_LINES ? [`${path}:${MAX_LINES + 1} is not the last line: there are ${lines}`] : []
      }),
    wrong: [source('edge/a.ts', 'x\n'.repeat(MAX_LINES + 1))],
    right: [source('edge/a.ts', 'x\n'.repeat(MAX_LINES))],
  },
  {
    name: 'no files import each other in a circle',
    check: (sources) =>
      circles(new Map(sources.map((it) => [it.path, importsOf(it).filter((one) => !one.isTypeOnly)]))),
    wrong: [
      [
        source('a.ts', "import './b.ts'"),
        source('b.ts', "export { c } from './c.ts'"),
        source('c.ts', "import './a.ts'"),
      ],
      [source('a.ts', "import { type B } from './b.ts'"), source('b.ts', "import { a } from './a.ts'")],
    ],
    right: [source('a.ts', "import './b.ts'"), source('b.ts', "import type { A } from './a.ts'")],
  },
]

function circles(graph: ReadonlyMap<string, readonly Import[]>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly Import[]): void => {
    const start = trail.findIndex(({ from }) => from === path)
    if (start >= 0) found.push([...trail.slice(start).map(({ from, line }) => `${from}:${line}`), path].join(' → '))
    if (start >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next.to, [...trail, next])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}

const sources = globSync('src/**/*.ts', { cwd: ROOT })
  .sort()
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))

test('the sources are found, and their imports', () => {
  assert.ok(sources.length > 100)
  const targets = sources
    .flatMap(importsOf)
    .map(({ to }) => to)
    .filter((to) => to.startsWith('src/'))
  assert.ok(targets.length > 200)
  assert.deepEqual(
    targets.filter((to) => !existsSync(join(ROOT, to))),
    [],
  )
})

for (const { name, check, wrong, right } of rules) {
  test(name, () => assert.deepEqual(check(sources), []))

  test(`can fail: ${name}`, () => {
    for (const example of wrong) assert.equal(check([example].flat()).length, 1, JSON.stringify(example))
    assert.deepEqual(check(right), [])
  })
}

/** The packages that stand in one of the two only, as sentences. */
function undocumented(readme: string, dependencies: readonly string[]): string[] {
  const section = /^## Dependencies\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(readme)?.[1] ?? ''
  const listed = [...section.matchAll(/^\| `([^`]+)` +\|/gm)].map((match) => match[1]!)
  return [
    ...dependencies
      .filter((name) => !listed.includes(name))
      .map((name) => `README.md does not say why ${name} is there`),
    ...listed.filter((name) => !dependencies.includes(name)).map((name) => `package.json no longer has ${name}`),
  ]
}

test('the README says of each dependency why it is there', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const path = join(ROOT, 'README.md')
  const readme = existsSync(path) ? readFileSync(path, 'utf8') : ''
  assert.deepEqual(undocumented(readme, Object.keys({ ...dependencies, ...devDependencies })), [])
})

test('can fail: the README says of each dependency why it is there', () => {
  const readme =
    '## Dependencies\n\n| package | why |\n| --- | --- |\n| `a` | x |\n| `b`  | x |\n\n## License\n\n| `c` | x |\n'
  assert.deepEqual(undocumented(readme, ['a', 'b']), [])
  assert.equal(undocumented(readme, ['a', 'b', 'c']).length, 1)
  assert.equal(undocumented(readme, ['a']).length, 1)
  assert.equal(undocumented('', ['a']).length, 1)
})
