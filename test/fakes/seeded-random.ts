import type { Random } from '../../src/system/random.ts'

const PRIME = 2 ** 31 - 1

/** Dice that fall in the same way each time (Park and Miller's minimal standard). @param seed from 1 up. */
export function seededRandom(seed: number): Random {
  let state = seed % PRIME
  return () => {
    state = (state * 16_807) % PRIME
    return state / PRIME
  }
}
