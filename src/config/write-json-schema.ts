import { writeFile } from 'node:fs/promises'
import { formatJsonSchema } from './json-schema.ts'

await writeFile(new URL('../../config.schema.json', import.meta.url), formatJsonSchema())
