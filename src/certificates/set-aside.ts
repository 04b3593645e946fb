import { describeError } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'

/**
 * Moves a damaged value out of the way and says in a sentence where it went. A storage that cannot be written must not keep
 * the program from starting: then the value stays where it is, and the sentence says so.
 */
export async function setAside(storage: Storage, key: string): Promise<string> {
  try {
    return `It was set aside as ${await storage.setAside(key)}.`
  } catch (error) {
    return `It could not be set aside, and will be overwritten: ${describeError(error)}`
  }
}
