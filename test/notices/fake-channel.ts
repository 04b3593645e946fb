import type { Channel } from '../../src/notices/channel.ts'
import { NotifyError } from '../../src/notices/channel.ts'
import type { Notice } from '../../src/notices/trouble.ts'

/** Keeps what it is given, and fails on demand. */
export class FakeChannel implements Channel {
  readonly name: string
  readonly gatherMs: number
  /** What was sent, a message each. */
  readonly messages: Notice[][] = []
  /** How often somebody tried. */
  tries = 0
  isOut = false

  constructor(name: string, gatherMs = 0) {
    this.name = name
    this.gatherMs = gatherMs
  }

  async send(notices: readonly Notice[]): Promise<void> {
    this.tries++
    if (this.isOut) throw new NotifyError('notify-unreachable', `${this.name} is out.`)
    this.messages.push([...notices])
  }

  /** `raised a.test`, for each that was sent. */
  get told(): string[] {
    return this.messages.flat().map(({ state, names }) => `${state} ${names.join()}`)
  }
}
