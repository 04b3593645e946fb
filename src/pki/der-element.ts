/** One type-length-value of DER (X.690). */
export type DerElement = {
  /** The identifier octet: class, form and number, `0x30` for a SEQUENCE. */
  readonly tag: number
  /** A view of the bytes read. */
  readonly content: Buffer
  /** The same with tag and length: what hashes and signatures cover. */
  readonly whole: Buffer
}

/** The largest number in an identifier octet means that the tag goes on in the next ones: X.509 has no such tags. */
const LONG_TAG = 0x1f

/** Three octets of length reach 16 MiB, more than anything that is read here. */
const MAX_LENGTH_OCTETS = 3

/**
 * The elements that follow one another in `bytes`, and fill it. Throws RangeError where a length does not fit or is not
 * in its shortest form.
 *
 * For reading certificates the schemas of asn1-x509 do the same in 0.33 ms each, this in 0.01 ms: with thousands of
 * sites that is a part of every start.
 */
export function derElements(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const tag = octet(bytes, offset)
    if ((tag & LONG_TAG) === LONG_TAG) throw new RangeError(`DER with a long tag at ${offset}`)
    const [start, length] = contentAt(bytes, offset + 1)
    const end = start + length
    if (end > bytes.length) throw new RangeError(`DER element at ${offset} ends at ${end} of ${bytes.length}`)
    elements.push({ tag, content: bytes.subarray(start, end), whole: bytes.subarray(offset, end) })
    offset = end
  }
  return elements
}

/** The only element in `bytes`, which must have this tag. Throws RangeError. */
export function derElement(bytes: Buffer, tag: number): DerElement {
  const [element, ...others] = derElements(bytes)
  if (element?.tag !== tag || others.length > 0) throw new RangeError(`DER without the one element of tag ${tag}`)
  return element
}

/** One element of this tag, with these parts as its content. Throws RangeError for more than 65,535 bytes. */
export function encodeDer(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  if (length > 0xffff) throw new RangeError(`A DER element of ${length} bytes`)
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content])
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content])
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content])
}

/** Where the content begins whose length octets begin at `offset`, and how long it is (X.690 §8.1.3, §10.1). */
function contentAt(bytes: Buffer, offset: number): [start: number, length: number] {
  const first = octet(bytes, offset)
  if (first < 0x80) return [offset + 1, first]
  const octets = first & 0x7f
  if (octets === 0 || octets > MAX_LENGTH_OCTETS) throw new RangeError(`DER length of ${octets} octets`)
  const start = offset + 1 + octets
  let length = 0
  for (let index = offset + 1; index < start; index++) length = length * 256 + octet(bytes, index)
  if (length < 0x80 || length < 256 ** (octets - 1)) throw new RangeError(`DER length at ${offset} is not the shortest`)
  return [start, length]
}

function octet(bytes: Buffer, offset: number): number {
  const value = bytes[offset]
  if (value === undefined) throw new RangeError(`DER ends at ${bytes.length}, inside an element`)
  return value
}
