import type { Fields } from '../exchange/exchange.ts'
import { fieldRole } from '../fields.ts'
import type { Http1Version } from './framing.ts'
import { refuse } from './refusal.ts'

/** What the fields of a head say about the message and its connection, rather than about what it carries. */
export type ControlFields = {
  /** Of the first Host field, and how many there are. */
  host: string | undefined
  hosts: number
  contentLength: string | undefined
  transferEncoding: string | undefined
  /** These are lists, so their lines are one (RFC 9110 §5.3). */
  connection: string | undefined
  upgrade: string | undefined
  te: string | undefined
  expect: string | undefined
}

/** Throws Refusal where framing would be said twice, even alike: two recipients could take two of them. */
export function readControlFields(fields: Fields): ControlFields {
  const control: ControlFields = {
    host: undefined,
    hosts: 0,
    contentLength: undefined,
    transferEncoding: undefined,
    connection: undefined,
    upgrade: undefined,
    te: undefined,
    expect: undefined,
  }
  for (let at = 0; at < fields.length; at += 2) {
    const role = fieldRole(fields[at]!)
    if (role !== 'end-to-end') readControlField(control, role, fields[at + 1]!)
  }
  return control
}

function readControlField(control: ControlFields, role: ReturnType<typeof fieldRole>, value: string): void {
  switch (role) {
    case 'host':
      control.hosts++
      control.host ??= value
      break
    case 'content-length':
      if (control.contentLength !== undefined) throw refuse('content-length-repeated')
      control.contentLength = value
      break
    case 'transfer-encoding':
      if (control.transferEncoding !== undefined) throw refuse('transfer-encoding-repeated')
      control.transferEncoding = value
      break
    case 'connection':
    case 'upgrade':
    case 'te':
    case 'expect':
      control[role] = joinLines(control[role], value)
      break
  }
}

function joinLines(former: string | undefined, value: string): string {
  return former === undefined ? value : `${former}, ${value}`
}

/** Whether another message may follow on the connection: `close` goes before all else (RFC 9112 §9.3). */
export function isPersistent({ connection }: ControlFields, version: Http1Version): boolean {
  if (connection === undefined) return version === '1.1'
  return !listHas(connection, 'close') && (version === '1.1' || listHas(connection, 'keep-alive'))
}

/** Whether a list (RFC 9110 §5.6.1) has this element, which is in lower case. */
export function listHas(list: string | undefined, element: string): boolean {
  if (list === undefined) return false
  if (list === element) return true
  if (list.length < element.length) return false
  return list.split(',').some((one) => one.trim().toLowerCase() === element)
}
