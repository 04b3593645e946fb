import { dirname, resolve } from 'node:path'
import { readDocument } from './document.ts'
import { configSchema } from './schema.ts'
import type { Environment } from './substitution.ts'
import { TextFiles } from './text-file.ts'

/**
 * The storage folder that a config names, whatever else is wrong with the config: a program that runs can be asked there.
 * undefined if the file cannot be read as YAML.
 */
export async function storagePlace(file: string, env: Environment): Promise<string | undefined> {
  const path = resolve(file)
  const reading = readDocument({ file, path }, await new TextFiles().read(path), env)
  if ('problems' in reading) return undefined
  const { value } = reading.document.spot('storage')
  const parsed = configSchema.shape.storage.safeParse(value)
  return parsed.success ? resolve(dirname(path), parsed.data) : undefined
}
