import { z } from 'zod'
import { switchFormat } from './plain-formats.ts'
import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

/** Keys that a mapping may have, and keys that it will have one day: these are refused in words of their own. */
export type MappingKeys = { readonly allowed: readonly string[]; readonly later: readonly string[] }

const keysByMapping = new Map<string, MappingKeys>()

/** The keys of the mapping that the message of an `unrecognized_keys` issue names. */
export function keysOf(mapping: string): MappingKeys {
  return keysByMapping.get(mapping) ?? { allowed: [], later: [] }
}

/** A mapping with these keys and no others; `later` are the keys that are not supported yet. `name` is its own. */
export function mapping<Shape extends z.core.$ZodLooseShape>(
  name: string,
  shape: Shape,
  { later = [] }: { later?: readonly string[] } = {},
) {
  const allowed = Object.keys(shape)
  keysByMapping.set(name, { allowed, later })
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? name : `allowed: a mapping with ${allowed.join(', ')}`),
  })
}

/** Text in a format. What comes out is what the format reads. */
export function text<T>({ allowed, schema, read, otherwise }: TextFormat<T>) {
  return z
    .string({ error: ({ input }) => otherwise?.(input) ?? allowed })
    .meta({ ...schema })
    .transform((written, context): T => {
      const value = read(written)
      if (!(value instanceof Refusal)) return value
      refuse(context, value)
      return z.NEVER
    })
}

/** A list; a single item may stand without brackets. */
export function list<T>(format: TextFormat<T>, { atLeast }: { atLeast: 0 | 1 }) {
  return oneOrMore(format, itemsOf(format, atLeast))
}

/** A list without repetitions of at least one; it, too, may stand without brackets. */
export function distinctList<T>(format: TextFormat<T>) {
  const items = itemsOf(format, 1).superRefine((values, context) => {
    for (const [index, value] of values.entries()) {
      if (values.indexOf(value) === index) continue
      refuse(context, new Refusal('name each once', { fault: 'which is in this list already' }), [index])
    }
  })
  return oneOrMore(format, items.meta({ uniqueItems: true }))
}

function itemsOf<T>(format: TextFormat<T>, atLeast: 0 | 1) {
  const error = () => format.allowed
  return z.array(text(format), { error }).min(atLeast, { error: () => `at least one is needed; ${format.allowed}` })
}

function oneOrMore<T>(format: TextFormat<T>, items: ReturnType<typeof itemsOf<T>>) {
  const single = text(format).transform((value): T[] => [value])
  return z.union([single, items], { error: ({ input }) => format.otherwise?.(input) ?? format.allowed })
}

/** A boolean, also as `on` and `off`. */
export function onOff() {
  const format = switchFormat()
  return z.union([z.boolean(), text(format)], { error: () => format.allowed })
}

/** A whole number; as text, where it comes from the environment. */
export function count({ atLeast, atMost }: { readonly atLeast: number; readonly atMost: number }) {
  const allowed = `allowed: a whole number from ${atLeast} to ${atMost}`
  const digits = text({
    allowed,
    schema: { pattern: '^\\d+$' },
    read(written) {
      const value = /^\d{1,10}$/.test(written) ? Number(written) : Number.NaN
      return value >= atLeast && value <= atMost ? value : new Refusal(allowed)
    },
  })
  const error = () => allowed
  return z.union([z.int({ error }).min(atLeast, { error }).max(atMost, { error }), digits], { error })
}

/** Reports a refusal from within a zod schema; `refusalOf` finds it again. */
export function refuse(context: z.core.$RefinementCtx, refusal: Refusal, path: (string | number)[] = []): void {
  context.addIssue({ code: 'custom', message: refusal.allowed, params: { refusal }, path })
}

/** The refusal behind an issue, if it was one of ours. */
export function refusalOf(issue: z.core.$ZodIssue): Refusal | undefined {
  const refusal: unknown = issue.code === 'custom' ? issue.params?.refusal : undefined
  return refusal instanceof Refusal ? refusal : undefined
}
