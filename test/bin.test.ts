import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')
const PROGRAM = join(ROOT, 'bin/castellan.js')
const { version, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

function castellan(...args: string[]) {
  return spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' })
}

/** Some Node on this machine that is too old. Every machine that set the project up with one has it. */
function olderNode(): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, 'node')
    try {
      accessSync(candidate, constants.X_OK)
    } catch {
      continue
    }
    const major = Number(
      spawnSync(candidate, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout.split('.')[0],
    )
    if (major < Number.parseInt(dependencies.node, 10)) return candidate
  }
  return undefined
}

test('--version prints the version', () => {
  const { stdout, status } = castellan('--version')
  assert.match(stdout, new RegExp(`^castellan ${version.replaceAll('.', '\\.')} \\(node \\d`))
  assert.equal(status, 0)
})

test('--help names every command', () => {
  const { stdout, status } = castellan('--help')
  for (const command of ['run', 'proxy', 'validate', 'certs', 'health', 'variables', 'schema', 'version', 'help'])
    assert.match(stdout, new RegExp(`castellan ${command}`))
  assert.equal(status, 0)
})

test('an unknown command is said in a line, with exit code 2', () => {
  const { stderr, status } = castellan('serve')
  assert.equal(stderr, 'castellan: there is no command "serve"; "castellan help" lists them\n')
  assert.equal(status, 2)
})

test('wrong arguments are said in a line, with exit code 2', () => {
  for (const args of [
    ['validate', 'a.yaml', 'b.yaml'],
    ['run', '--confg', 'a.yaml'],
  ]) {
    const { stderr, status } = castellan(...args)
    assert.match(stderr, /^castellan: .*\n$/)
    assert.equal(status, 2)
  }
})

test("--help after a command is no mistake, and a mistake is told without the parser's advice", () => {
  for (const command of ['run', 'validate', 'certs']) {
    const { stdout, status } = castellan(command, '--help')
    assert.match(stdout, /castellan run \[CONFIG\]/)
    assert.equal(status, 0)
  }
  assert.equal(castellan('run', '--foo').stderr, "castellan: Unknown option '--foo'; usage: castellan run [CONFIG]\n")
})

test('a config where the command should be leads to "run"', () => {
  assert.match(castellan('my.yaml').stderr, /^castellan: .* did you mean "castellan run my\.yaml"\? .*\n$/)
})

test('a reader who goes away, or a full disk, is no reason for a stack trace', {
  skip: !existsSync('/dev/full'),
}, () => {
  for (const output of ['"$@" | true', '"$@" > /dev/full']) {
    const args = ['-c', output, 'sh', process.execPath, PROGRAM, 'help']
    const { stderr } = spawnSync('sh', args, { encoding: 'utf8' })
    assert.equal(stderr, '')
  }
})

test('"worker" by hand says who starts it', () => {
  const { stderr, status } = castellan('worker')
  assert.match(stderr, /started by "castellan run"/)
  assert.equal(status, 2)
})

const older = olderNode()
test('a Node that is too old is told so in one sentence', {
  skip: older === undefined && 'needs an older Node',
}, () => {
  const { stdout, stderr, status } = spawnSync(older!, [PROGRAM, 'run'], { encoding: 'utf8' })
  assert.match(stderr, /^castellan: this is Node \d+\.[\d.]+, and Castellan needs Node 26 or newer; .*\n$/)
  assert.equal(stdout, '')
  assert.equal(status, 1)
})

test('a package runs the JavaScript in its dist, with its arguments, and exits as that says', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'castellan-bin-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const name of ['bin', 'package.json']) cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  mkdirSync(join(folder, 'dist'))
  writeFileSync(join(folder, 'dist/main.js'), 'export const main = async (args) => (console.log(args.join()), 3)\n')
  const { stdout, status } = spawnSync(process.execPath, [join(folder, 'bin/castellan.js'), 'run', 'a.yaml'], {
    encoding: 'utf8',
  })
  assert.equal(stdout, 'run,a.yaml\n')
  assert.equal(status, 3)
})
