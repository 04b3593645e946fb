import { formatJsonSchema } from '../config/json-schema.ts'

/** `castellan schema`: the JSON Schema of the config, for editors. */
export async function schema(): Promise<number> {
  process.stdout.write(formatJsonSchema())
  return 0
}
