import type { ReadStream } from 'node:tty'
import { hashPassword } from '../password/scrypt.ts'

const USAGE = 'castellan hash-password, with the password on standard input or typed at a terminal'

const BACKSPACE = new Set(['\b', '\x7f'])
const CTRL_C = '\x03'
const CTRL_D = '\x04'

/** `castellan hash-password`: prints the hash of a password for `auth.basic`. The password is never shown. */
export async function printPasswordHash(args: readonly string[]): Promise<number> {
  // As an argument, everybody on this machine could read it, and the shell would keep it.
  if (args.length > 0) return fail(`"hash-password" takes no argument; usage: ${USAGE}`, 2)
  const { stdin } = process
  const password = stdin.isTTY ? await askTwice(stdin) : await readAll(stdin)
  if (password === undefined) return fail('no password was typed, or not the same one twice', 1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  if (password === '' || /[\x00-\x1f\x7f]/.test(password))
    return fail('a password has at least one character, and no line ends or control characters', 1)
  process.stdout.write(`${await hashPassword(Buffer.from(password))}\n`)
  return 0
}

function fail(what: string, exitCode: number): number {
  process.stderr.write(`castellan: ${what}\n`)
  return exitCode
}

/** Without the line end that editors and echo add. */
async function readAll(stream: NodeJS.ReadStream): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
    .toString()
    .replace(/\r?\n$/, '')
}

async function askTwice(terminal: ReadStream): Promise<string | undefined> {
  const first = await ask(terminal, 'Password: ')
  if (first === undefined || first === '') return undefined
  const second = await ask(terminal, 'Once more: ')
  return first === second ? first : undefined
}

/** What is typed up to the end of the line, unseen; undefined if it is given up. */
function ask(terminal: ReadStream, prompt: string): Promise<string | undefined> {
  process.stderr.write(prompt)
  terminal.setRawMode(true)
  terminal.setEncoding('utf8')
  terminal.resume()
  let typed = ''
  return new Promise((resolve) => {
    const end = (result: string | undefined): void => {
      terminal.off('data', onData)
      terminal.setRawMode(false)
      terminal.pause()
      process.stderr.write('\n')
      resolve(result)
    }
    const onData = (text: string): void => {
      for (const character of text) {
        if (character === '\r' || character === '\n') return end(typed)
        if (character === CTRL_C || character === CTRL_D) return end(undefined)
        typed = BACKSPACE.has(character) ? [...typed].slice(0, -1).join('') : typed + character
      }
    }
    terminal.on('data', onData)
  })
}
