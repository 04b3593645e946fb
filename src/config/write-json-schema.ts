import { writeFile } from 'node:fs/promises'
import { formatEnvironmentPage } from './environment-page.ts'
import { formatJsonSchema } from './json-schema.ts'
import { formatReference } from './reference.ts'

await writeFile(new URL('../../config.schema.json', import.meta.url), formatJsonSchema())
await writeFile(new URL('../../docs/config.md', import.meta.url), formatReference())
await writeFile(new URL('../../docs/environment.md', import.meta.url), formatEnvironmentPage())
