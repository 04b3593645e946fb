import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import type { Config } from './config.ts'
import { ENVIRONMENT, SITE_VARIABLE } from './config-source.ts'
import { type Document, type DocumentNames, readDocument } from './document.ts'
import { readEnvironment } from './environment.ts'
import { Findings } from './findings.ts'
import { checkForm } from './form.ts'
import { type IncludedFile, includedFiles } from './included-files.ts'
import { ConfigError, type ConfigProblem, type ConfigSources, Refusal } from './problem.ts'
import { type Included, resolveConfig } from './resolve.ts'
import { type ConfigSettings, configSchema, includedSchema } from './schema.ts'
import type { Environment } from './substitution.ts'
import { type TextFile, TextFiles } from './text-file.ts'

export type LoadedConfig = {
  readonly config: Config
  /** Worth telling the operator, in the order of the file; nothing is wrong. */
  readonly warnings: readonly ConfigProblem[]
  /** Own certificates and their keys, which are read again whenever they change, are not among them. */
  readonly sources: ConfigSources
}

export type LoadOptions = { readonly file: string; readonly env: Environment; readonly isThorough?: boolean }

/**
 * Reads the config file, its included files, and the secrets and PEM files that they name. `file` may be relative to
 * the working directory, and problems then name it so; `env:` is no file, but `env` itself as CASTELLAN_* has it. `env` is
 * also what variables are taken from. If `isThorough`, own
 * certificates and keys are also tried together: a program that starts does that later, and serves without a bad one.
 * Throws ConfigError `config-invalid` with every problem that could be found.
 */
export async function loadConfig({ file, env, isThorough = false }: LoadOptions): Promise<LoadedConfig> {
  const findings = new Findings(env, new TextFiles(), isThorough)
  const names = { file, path: resolve(file) }
  const main = file === ENVIRONMENT ? openEnvironment(findings) : await openFile(names, findings)
  const sourcesWith = (patterns: readonly string[]): ConfigSources => ({ files: findings.files.paths, patterns })
  if (main?.settings === undefined) throw new ConfigError(file, findings.problems, sourcesWith([]))

  const { document, settings } = main
  const files = await includedFiles(settings.include, names, document.spot('include'), findings)
  const included = await openIncluded(files, findings)
  const complete = included.length === files.length
  const config = await resolveConfig({ names, document, settings, included, complete }, findings)
  const order = [file, ...files.map((other) => other.names.file)]
  const sources = sourcesWith(settings.include.map((pattern) => resolve(dirname(names.path), pattern)))
  if (findings.problems.length > 0) throw new ConfigError(file, inOrder(findings.problems, order), sources)
  const own = new Set(config.sites.flatMap((site) => site.files.flatMap(({ certificate, key }) => [certificate, key])))
  const watched = sources.files.filter((path) => !own.has(path))
  return { config, warnings: inOrder(findings.warnings, order), sources: { ...sources, files: watched } }
}

/** Those that can be read. */
async function openIncluded(files: readonly IncludedFile[], findings: Findings): Promise<Included[]> {
  const included: Included[] = []
  for (const { names, spot } of files) {
    const content = await findings.files.read(names.path)
    if ('fault' in content && content.line === undefined) {
      const fault = `but ${names.file} cannot be read: ${content.fault}`
      findings.refuse(spot, new Refusal('allowed: a path or a glob of files that this user may read', { fault }))
      continue
    }
    const other = open(names, content, includedSchema, findings)
    if (other?.settings !== undefined) included.push({ document: other.document, sites: other.settings.sites })
  }
  return included
}

/** A file has all that it needs: that the environment would have another config is said, and nothing else. */
async function openFile(names: DocumentNames, findings: Findings): Promise<Opened<ConfigSettings> | undefined> {
  if (findings.env[SITE_VARIABLE]) {
    const found = `found a site, but ${names.file} is the config`
    const allowed = 'unset it, or name "env:" in place of the file to be configured by the environment'
    findings.warnings.push({ file: SITE_VARIABLE, line: undefined, column: undefined, key: undefined, found, allowed })
  }
  return open(names, await findings.files.read(names.path), configSchema, findings)
}

function openEnvironment(findings: Findings): Opened<ConfigSettings> {
  const { document, problems: unknown } = readEnvironment(findings.env)
  const { settings, problems } = checkForm(document, configSchema)
  findings.report([...unknown, ...problems])
  return { document, settings }
}

type Opened<T> = { readonly document: Document; readonly settings: T | undefined }

/** Undefined if there is no document in it. */
function open<T>(
  names: DocumentNames,
  content: TextFile,
  schema: z.ZodType<T>,
  findings: Findings,
): Opened<T> | undefined {
  const reading = readDocument(names, content, findings.env)
  if ('problems' in reading) {
    findings.report(reading.problems)
    return undefined
  }
  const { document } = reading
  const { settings, problems } = checkForm(document, schema)
  findings.report(problems)
  return { document, settings }
}

function inOrder(problems: readonly ConfigProblem[], files: readonly string[]): ConfigProblem[] {
  const place = ({ file, line = 0, column = 0 }: ConfigProblem): number[] => [files.indexOf(file), line, column]
  return problems.toSorted((a, b) => compare(place(a), place(b)))
}

function compare(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, at) => value !== b[at])
  return index < 0 ? 0 : a[index]! - b[index]!
}
