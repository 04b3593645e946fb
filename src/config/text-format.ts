import { Refusal } from './problem.ts'
import { didYouMean } from './suggestion.ts'

/** One kind of text in the config: how an editor checks it, how it is read, and what an operator is told otherwise. */
export type TextFormat<T> = {
  /** What is told to whoever wrote something else. */
  readonly allowed: string
  /** For the JSON Schema: what an editor can check and complete. May be looser than `read`, never stricter. */
  readonly schema: {
    readonly pattern?: string
    readonly enum?: readonly string[]
    readonly examples?: readonly string[]
  }
  readonly read: (text: string) => T | Refusal
  /** What to say to a value that is not text; `allowed`, unless there is something better to say. */
  readonly otherwise?: (value: unknown) => string | undefined
}

/** One of a few words. */
export function choiceFormat<const T extends string>(
  choices: readonly T[],
  { allowed = `allowed: ${choices.join(', ')}`, later = [] }: { allowed?: string; later?: readonly string[] } = {},
): TextFormat<T> {
  return {
    allowed,
    schema: { enum: choices },
    read(text) {
      const choice = choices.find((candidate) => candidate === text)
      if (choice !== undefined) return choice
      if (later.includes(text)) return new Refusal(allowed, { fault: 'which is not supported yet' })
      return new Refusal(allowed, { hint: didYouMean(text, choices) })
    },
  }
}

/** Any text but none. */
export function wordsFormat(
  allowed: string,
  schema: { readonly examples?: readonly string[] } = {},
): TextFormat<string> {
  return {
    allowed,
    schema: { pattern: '\\S', ...schema },
    read: (text) => (text.trim() === '' ? new Refusal(allowed) : text),
    otherwise: (value) =>
      typeof value === 'number' || typeof value === 'boolean'
        ? `put it in quotes to make it text; ${allowed}`
        : undefined,
  }
}
