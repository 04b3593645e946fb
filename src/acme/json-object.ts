import { AcmeError } from './acme-error.ts'
import { quote } from './quote.ts'

/**
 * A JSON object that a server sent, read field by field: each reader gives the value in the type asked for or throws
 * AcmeError `acme-response-invalid`, naming the object and the field. Fields that nobody asks for are ignored, as RFC 8555
 * §7.1 demands.
 */
export class JsonObject {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #what: string

  /** `what` is how messages call it: `the order`. */
  constructor(value: unknown, what: string) {
    if (!isObject(value)) throw malformed(`${what} is not a JSON object.`)
    this.#fields = value
    this.#what = what
  }

  string(field: string): string {
    const value = this.#value(field)
    return typeof value === 'string' ? value : this.#refuse(field, 'a string')
  }

  optionalString(field: string): string | undefined {
    return this.#value(field) === undefined ? undefined : this.string(field)
  }

  optionalBoolean(field: string): boolean | undefined {
    const value = this.#value(field)
    return value === undefined || typeof value === 'boolean' ? value : this.#refuse(field, 'true or false')
  }

  /** A string that is one of these. */
  oneOf<T extends string>(field: string, values: readonly T[]): T {
    const text = this.string(field)
    const value = values.find((candidate) => candidate === text)
    return value ?? this.#refuse(field, `one of ${values.join(', ')}, but “${quote(text, 40)}”`)
  }

  /** An array of at most `max` elements. */
  list(field: string, max: number): readonly unknown[] {
    const value = this.#value(field)
    if (!Array.isArray(value)) return this.#refuse(field, 'a list')
    return value.length <= max ? value : this.#refuse(field, `a list of at most ${max}`)
  }

  strings(field: string, max: number): string[] {
    return this.list(field, max).map((value) =>
      typeof value === 'string' ? value : this.#refuse(field, 'a list of strings'),
    )
  }

  object(field: string): JsonObject {
    return new JsonObject(this.#value(field), `${this.#what}'s “${field}”`)
  }

  optionalObject(field: string): JsonObject | undefined {
    return this.#value(field) === undefined ? undefined : this.object(field)
  }

  /** All of it, for a reader that takes any shape. */
  get fields(): Readonly<Record<string, unknown>> {
    return this.#fields
  }

  /** `null` stands for nothing: some servers write every optional field. Inherited names (`constructor`) are none. */
  #value(field: string): unknown {
    return Object.hasOwn(this.#fields, field) ? (this.#fields[field] ?? undefined) : undefined
  }

  #refuse(field: string, expected: string): never {
    throw malformed(`${this.#what} has a field “${field}” that is not ${expected}.`)
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(sentence: string): AcmeError {
  return new AcmeError('acme-response-invalid', `The CA's answer is malformed: ${sentence}`)
}
