import { type DerElement, derElement, derElements } from './der-element.ts'

/** The fields of a SEQUENCE in their order, some of which may be left out. What does not fit throws RangeError. */
export class DerFields {
  readonly #fields: DerElement[]

  /** @param sequence what contains the fields: the content of a SEQUENCE, or of what stands for one. */
  constructor(sequence: Buffer) {
    this.#fields = derElements(sequence).reverse()
  }

  /** The next field, which must be of this tag. */
  take(tag: number): DerElement {
    const field = this.takeAny()
    if (field.tag !== tag) throw new RangeError(`DER with the tag ${field.tag} in place of ${tag}`)
    return field
  }

  /** The next field, a CHOICE of several. */
  takeAny(): DerElement {
    const field = this.#fields.pop()
    if (field === undefined) throw new RangeError('DER that lacks a field')
    return field
  }

  /** The next field if it is of this tag. */
  takeOptional(tag: number): DerElement | undefined {
    return this.#fields.at(-1)?.tag === tag ? this.#fields.pop() : undefined
  }

  /** What is within an optional field with an EXPLICIT tag. */
  takeExplicit(tag: number, inner: number): DerElement | undefined {
    const field = this.takeOptional(tag)
    return field && derElement(field.content, inner)
  }

  /** There must be no more. */
  end(): void {
    if (this.#fields.length > 0) throw new RangeError(`DER with ${this.#fields.length} fields too many`)
  }
}
