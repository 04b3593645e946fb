import { resolve } from 'node:path'
import { Refusal } from './problem.ts'
import type { Environment } from './substitution.ts'
import type { TextFiles } from './text-file.ts'

/** Where secrets may come from. `folder` is what relative paths are relative to. */
export type SecretSources = { readonly env: Environment; readonly files: TextFiles; readonly folder: string }

const ALLOWED = 'allowed: the secret, env:NAME for an environment variable, or file:PATH for a file that holds it'

/** The secret that `env:NAME`, `file:PATH` or the text itself gives, without the line end that editors add to files. */
export async function readSecret(text: string, sources: SecretSources): Promise<string | Refusal> {
  if (text.startsWith('env:')) return fromEnvironment(text.slice('env:'.length), sources.env)
  if (text.startsWith('file:')) return fromFile(resolve(sources.folder, text.slice('file:'.length)), sources.files)
  return text
}

function fromEnvironment(name: string, env: Environment): string | Refusal {
  if (name === '') return new Refusal(ALLOWED, { fault: 'which names no environment variable' })
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (value === undefined) return new Refusal('set it', { fault: `but the environment variable ${name} is not set` })
  return value === '' ? new Refusal('set it', { fault: `but the environment variable ${name} is empty` }) : value
}

async function fromFile(path: string, files: TextFiles): Promise<string | Refusal> {
  const content = await files.read(path)
  if ('fault' in content) return new Refusal(ALLOWED, { fault: `but ${path} cannot be read: ${content.fault}` })
  const secret = content.text.replace(/\r?\n$/, '')
  return secret === '' ? new Refusal(ALLOWED, { fault: `but ${path} is empty` }) : secret
}
