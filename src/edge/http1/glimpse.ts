import type { RequestHead } from '../exchange/exchange.ts'
import { cutGlimpse, type Glimpse } from '../exchange/refused-request.ts'

const REQUEST_LINE = /^(?:\r\n)*([^ \r\n]+) ([^ \r\n]*)(?: HTTP\/1\.([01])(?=[\r\n]|$))?/
/** A line with its end, for the half of a name would be another name. */
const HOST_LINE = /\nhost:([^\r\n]*)[\r\n]/i

/** What a head, or the beginning of one, seems to say although it was refused: read with all leniency. */
export function glimpse(head: string): Glimpse & Pick<RequestHead, 'version'> {
  const [, method, target, minor] = REQUEST_LINE.exec(head) ?? []
  const authority = HOST_LINE.exec(head)?.[1]?.trim()
  return { ...cutGlimpse({ method, authority, target }), version: minor === '0' ? '1.0' : '1.1' }
}
