/** What a request expects (RFC 9110 §10.1.1): there is but one expectation, and others are for nobody here to meet. */
export type Expectation = 'none' | 'continue' | 'unknown'

/** Reads an Expect field, which is a list. */
export function readExpectation(field: string): Expectation {
  let expectation: Expectation = 'none'
  for (const one of field.split(',')) {
    const name = one.trim().toLowerCase()
    if (name === '100-continue') expectation = 'continue'
    else if (name !== '') return 'unknown'
  }
  return expectation
}
