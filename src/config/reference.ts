import { configJsonSchema } from './json-schema.ts'

type Schema = {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Schema | boolean>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly examples?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
}

const INTRODUCTION = `# The config, key by key

Generated from the one definition that also checks the config and makes \`config.schema.json\` (\`npm run schema\`). Durations are \`90s\`, \`10m\`, \`60d\`; sizes \`64KiB\`, \`10MiB\`; relative paths are relative to the file. \`\${NAME}\` and \`\${NAME:-default}\` in any text are replaced from the environment, and \`env:NAME\` or \`file:PATH\` stand for a secret. A list of one may stand without brackets. \`NAME\` in a key stands for a name of your choice, and \`[]\` for each of a list.
`

/** The reference page of the config: every key with its type, its default and what it is for. */
export function formatReference(): string {
  const root = configJsonSchema() as Schema
  const page = new Page()
  const sections = Object.entries(root.properties ?? {}).map(([key, value]) => page.section(key, value as Schema))
  return `${INTRODUCTION}\n${sections.join('\n')}`
}

type Row = { readonly key: string; readonly type: string; readonly preset: string; readonly words: string }

/** Mappings that come again are told once. */
class Page {
  readonly #toldAt = new Map<string, string>()

  section(key: string, schema: Schema): string {
    const lines = this.#rows(key, schema).map(
      ({ key: path, type, preset, words }) => `| \`${path}\` | ${type} | ${preset} | ${words} |`,
    )
    return `## ${key}\n\n| key | what | default | why |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`
  }

  #rows(path: string, schema: Schema): Row[] {
    const below = this.#below(path, schema)
    const content = JSON.stringify({ ...schema, default: undefined, description: undefined })
    const toldAt = below.length === 0 ? undefined : this.#toldAt.get(content)
    if (below.length > 0 && toldAt === undefined) this.#toldAt.set(content, path)
    const { description = '' } = schema
    const words = cell(toldAt === undefined ? description : `${description} Its keys are those of \`${toldAt}\`.`)
    const own: Row = { key: path, type: formatKinds(kindsOf(schema)), preset: presetOf(schema), words }
    return toldAt === undefined ? [own, ...below] : [own]
  }

  /** The keys of mappings, wherever in the alternatives of a value they stand. */
  #below(path: string, { properties = {}, additionalProperties, items, anyOf = [] }: Schema): Row[] {
    const rows: Row[] = []
    for (const [key, value] of Object.entries(properties))
      if (typeof value === 'object') rows.push(...this.#rows(`${path}.${key}`, value))
    if (typeof additionalProperties === 'object') rows.push(...this.#below(`${path}.NAME`, additionalProperties))
    if (items !== undefined) rows.push(...this.#below(`${path}[]`, items))
    for (const alternative of anyOf) rows.push(...this.#below(path, alternative))
    return [...new Map(rows.map((row) => [row.key, row])).values()]
  }
}

/** A switch takes words as well. */
function formatKinds(kinds: readonly string[]): string {
  const isSwitch = ['`true`', '`false`', '`on`', '`off`'].every((kind) => kinds.includes(kind))
  const shown = isSwitch ? kinds.filter((kind) => kind !== '`true`' && kind !== '`false`') : kinds
  return shown.length < 2 ? (shown[0] ?? '') : `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`
}

function kindsOf(schema: Schema): string[] {
  if (schema.anyOf !== undefined && !isCondition(schema)) return unique(schema.anyOf.flatMap(kindsOf))
  if (schema.enum !== undefined) return schema.enum.map((each) => `\`${each}\``)
  if (schema.const !== undefined) return [`\`${schema.const}\``]
  switch (schema.type) {
    case 'boolean':
      return ['`true`', '`false`']
    case 'integer':
    case 'number':
      return [rangeOf(schema)]
    case 'array':
      return ['a list']
    case 'object':
      return ['a mapping']
    case 'string':
      return isVariable(schema) ? [] : [schema.examples === undefined ? 'text' : exampleOf(schema.examples)]
    default:
      return []
  }
}

/** A variable may stand for any word and any number. */
function isVariable({ pattern }: Schema): boolean {
  return pattern === '\\$\\{' || pattern === '^\\d+$|\\$\\{'
}

/** Which of its keys a mapping must have is no alternative of a value. */
function isCondition({ type }: Schema): boolean {
  return type === 'object'
}

function rangeOf({ minimum, maximum }: Schema): string {
  return minimum === undefined || maximum === undefined ? 'a number' : `a number from ${minimum} to ${maximum}`
}

function exampleOf(examples: readonly unknown[]): string {
  return `text such as \`${cell(String(examples[0]))}\``
}

function presetOf({ default: preset }: Schema): string {
  if (preset === undefined) return ''
  if (typeof preset === 'object' && preset !== null && !Array.isArray(preset)) return ''
  return `\`${Array.isArray(preset) ? JSON.stringify(preset) : preset}\``
}

function unique(kinds: readonly string[]): string[] {
  return [...new Set(kinds)]
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
