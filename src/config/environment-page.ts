import { optionOf } from './environment.ts'
import { type EnvironmentKey, environmentKeys } from './environment-keys.ts'

/** The config's key, as it would stand in a file. */
function formatKey({ path }: EnvironmentKey): string {
  return path.map((step, index) => (step === '*' && index === 1 ? 'NAME' : step)).join('.')
}

function describe({ takes, isFile, about }: EnvironmentKey): string {
  if (isFile) return 'The path of a file that holds it.'
  const text = about.replaceAll('|', '\\|')
  return takes === 'list' ? `${text} Several with commas between them.` : text
}

/** Every variable and its key, a line each. */
export function formatVariables(): string {
  const rows = [...environmentKeys()].map(([name, key]) => [`CASTELLAN_${name}`, formatKey(key)] as const)
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, key]) => `${name.padEnd(width)}  ${key}\n`).join('')
}

/** The page of the documentation with all variables and options. */
export function formatEnvironmentPage(): string {
  const rows = [...environmentKeys()].map(
    ([name, key]) => `| \`CASTELLAN_${name}\` | \`${optionOf(name)}\` | \`${formatKey(key)}\` | ${describe(key)} |`,
  )
  return `# Variables and options

What \`castellan run\` takes from the environment where there is no file, what \`castellan proxy\` takes as options, and the key of a file that is the same. \`npm run schema\` writes this page from the schema of the config. In place of \`*\` stands an issuer's name in capitals (\`CASTELLAN_ISSUERS_CORP_CA_DIRECTORY\` is of \`corp-ca\`).

| variable | option | key | |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}
