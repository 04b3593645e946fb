import { z } from 'zod'
import { configSchema } from './schema.ts'

/** Wherever text is checked, a variable may stand for it: the editor does not know its value. */
const VARIABLE_PATTERN = '\\$\\{'

type JsonSchema = z.core.JSONSchema.BaseSchema

/** The JSON Schema (draft 2020-12) of the config file, for editors. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-2020-12',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'string') admitVariables(jsonSchema)
    },
  })
}

function admitVariables(schema: JsonSchema): void {
  if (schema.pattern !== undefined) schema.pattern = `${schema.pattern}|${VARIABLE_PATTERN}`
  if (schema.enum === undefined) return
  schema.anyOf = [
    { type: 'string', enum: schema.enum },
    { type: 'string', pattern: VARIABLE_PATTERN },
  ]
  delete schema.enum
  delete schema.type
}

/** The schema as it stands in config.schema.json. */
export function formatJsonSchema(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`
}
