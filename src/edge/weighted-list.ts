/** A member of a list with its weight (RFC 9110 §12.4.2), in thousandths. */
export type Weighted = { readonly name: string; readonly weight: number }

const WEIGHT = /^(?:0(?:\.([0-9]{0,3}))?|1(?:\.0{0,3})?)$/

/**
 * The members of a field such as Accept or Accept-Encoding, in their order and in lower case, other parameters left out. One
 * whose weight is none is left out: nobody knows how much it is wanted.
 */
export function weightedList(value: string): Weighted[] {
  const members: Weighted[] = []
  for (const member of value.split(',')) {
    const [name = '', ...parameters] = member.split(';')
    const weight = weightOf(parameters)
    if (name.trim() !== '' && weight !== undefined) members.push({ name: name.trim().toLowerCase(), weight })
  }
  return members
}

function weightOf(parameters: readonly string[]): number | undefined {
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=', 2)
    if (name.trim().toLowerCase() !== 'q') continue
    const match = WEIGHT.exec(value.trim())
    if (match === null) return undefined
    return value.trim().startsWith('1') ? 1000 : Number((match[1] ?? '').padEnd(3, '0'))
  }
  return 1000
}
