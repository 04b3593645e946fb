import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** Runs curl and gives what it printed, headers included. Names lead to this machine. */
export async function curl(...args: readonly string[]): Promise<{ exitCode: number | null; output: string }> {
  const child = spawn(
    'curl',
    [
      '-sS',
      '-i',
      '--max-time',
      '20',
      ...(args.includes('--connect-to') ? [] : ['--connect-to', '::127.0.0.1:']),
      ...args,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const [stdout, stderr, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { exitCode, output: stdout + stderr }
}
