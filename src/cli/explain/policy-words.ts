import type { FieldChanges, Policy } from '../../config/config.ts'
import type { AskedRequest } from './asked-request.ts'
import { explainGuards } from './guard-words.ts'

/** What one part of a policy does to a request. */
export type PolicyStep = {
  readonly step: string
  readonly is: string
  /** It goes no further. */
  readonly refusal?: { readonly status: number; readonly why: string } | undefined
}

type Words = {
  readonly [Key in Exclude<keyof Policy, 'guards'>]: (
    setting: NonNullable<Policy[Key]>,
    request: AskedRequest,
  ) => Omit<PolicyStep, 'step'> | undefined
}

/** In the order in which a request meets them. */
const words: Words = {
  headers: ({ request, response }) => ({
    is: [...changesOf('request', request), ...changesOf('response', response)].join('; ') || 'nothing is changed',
  }),
  maxBodyBytes: (bytes) => ({ is: `a body of more than ${bytes} bytes is refused with 413` }),
}

/** What the middlewares of a policy would do, from the client inwards. Nothing of those that it does not ask for. */
export function* explainPolicy(policy: Policy, request: AskedRequest): Generator<PolicyStep> {
  for (const key of Object.keys(words) as (keyof Words)[]) {
    const setting = policy[key]
    const said =
      setting === undefined
        ? undefined
        : (words[key] as (setting: unknown, request: AskedRequest) => Omit<PolicyStep, 'step'> | undefined)(
            setting,
            request,
          )
    if (said !== undefined) yield { step: key === 'maxBodyBytes' ? 'limits' : key, ...said }
    if (key === 'headers' && policy.guards !== undefined) yield* explainGuards(policy.guards, request)
  }
}

function changesOf(of: string, changes: FieldChanges | undefined): string[] {
  if (changes === undefined) return []
  const { set, add, remove } = changes
  const names = (fields: readonly string[]): string => fields.filter((_, at) => at % 2 === 0).join(', ')
  return [
    ...(set.length === 0 ? [] : [`${of}: sets ${names(set)}`]),
    ...(add.length === 0 ? [] : [`${of}: adds ${names(add)}`]),
    ...(remove.length === 0 ? [] : [`${of}: removes ${remove.join(', ')}`]),
  ]
}
