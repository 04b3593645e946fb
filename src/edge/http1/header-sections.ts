import type { Fields } from '../exchange/exchange.ts'
import { fieldRole } from '../fields.ts'
import { type ControlFields, readControlFields } from './control-fields.ts'
import { parseHeaderSection } from './field-section.ts'
import type { MessageLimits } from './limits.ts'

/** The header section of one message. */
export type HeaderSection = {
  /** Of a request without Host, which is `control`'s. */
  readonly fields: Fields
  readonly control: Readonly<ControlFields>
}

/** What a connection that waits may hold on to for this. */
const MAX_REMEMBERED_LENGTH = 4096

/**
 * Reads the header sections of the messages of one connection. A client says much the same in each of its requests, and an
 * upstream in its answers of one second, so a section that equals the last one is not read again: that costs a comparison,
 * and saves a tenth of what Castellan itself does for a small request.
 */
export class HeaderSections {
  readonly #of: 'requests' | 'responses'
  readonly #limits: MessageLimits
  #text: string | undefined
  #section: HeaderSection | undefined

  constructor(of: 'requests' | 'responses', limits: MessageLimits) {
    this.#of = of
    this.#limits = limits
  }

  /** Reads the section from `at` to the end of `text`, a head as HeadReader gives it. Throws Refusal. */
  read(text: string, at: number): HeaderSection {
    const lines = text.slice(at)
    if (lines === this.#text) return this.#section!
    const fields = parseHeaderSection(text, at, this.#limits)
    const control = readControlFields(fields)
    if (this.#of === 'requests' && control.hosts > 0) removeHost(fields)
    const section = { fields, control }
    if (lines.length <= MAX_REMEMBERED_LENGTH) {
      this.#text = lines
      this.#section = section
    }
    return section
  }
}

function removeHost(fields: string[]): void {
  for (let at = 0; at < fields.length; at += 2)
    if (fieldRole(fields[at]!) === 'host') {
      fields.splice(at, 2)
      return
    }
}
