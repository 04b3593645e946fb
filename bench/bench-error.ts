import { CastellanError } from '../src/errors.ts'

export type BenchErrorCode =
  | 'options-invalid'
  | 'platform-unfit'
  | 'program-missing'
  | 'program-ended'
  | 'program-failed'
  | 'not-serving'
  | 'answer-wrong'
  | 'load-failed'
  | 'not-resumed'

/** A benchmark, or one measurement of it, that cannot go on. The message is one sentence for whoever runs it. */
export class BenchError extends CastellanError {
  declare readonly code: BenchErrorCode

  constructor(code: BenchErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(code, message, {}, options)
  }
}
