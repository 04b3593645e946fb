import { existsSync } from 'node:fs'
import type { Environment } from './substitution.ts'

/** In the place of a file's name: the config is in the environment. */
export const ENVIRONMENT = 'env:'

/** The variable that there must be for a config without a file. */
export const SITE_VARIABLE = 'CASTELLAN_SITE'

const FILE = 'castellan.yaml'

/** The config of whoever names none: the file in the working folder, or the environment if there is no file but a site. */
export function defaultSource(env: Environment): string {
  const site = env[SITE_VARIABLE]
  return site !== undefined && site !== '' && !existsSync(FILE) ? ENVIRONMENT : FILE
}

/** The config in a sentence. */
export function describeSource(source: string): string {
  return source === ENVIRONMENT ? 'the environment' : source
}
