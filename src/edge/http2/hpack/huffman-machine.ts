import { CODE_BITS, CODES, EOS } from './huffman-code.ts'

// The code as a binary tree, walked four bits a step. A state is a node that has branches, which is what was read of a
// code so far: there are 256 of them above 257 symbols, and one more for what contains EOS.

/** Nothing of a code has been read yet. */
export const ROOT = 0
/** EOS was read. Nothing leads out of here, so that it need not be looked for at each step. */
export const REJECTED = 256
const STATES = 257

/**
 * What four bits do in a state, at `state << 4 | bits`. They complete one code at most, as the shortest has 5: the
 * lowest 8 bits are its symbol, the next one says whether there is one. Shifted by STATE_SHIFT they are `state << 4`.
 *
 * 16 KiB, a line of the cache for each state. With eight bits a step it would be 256 KiB: 1.7 ns a character instead of
 * 3.1 once all is in the cache, but 12 instead of 6 when nothing is, as after a handshake, when most is to be decoded.
 */
export const TRANSITIONS = new Int32Array(STATES << 4)
export const STATE_SHIFT = 9

/**
 * For each state how many bits were read since the last whole code, if they are all ones, as the padding must be. -1:
 * there are others among them.
 */
export const PADDING_BITS = new Int8Array(STATES).fill(-1)

/** For each state, what comes after a 0 and after a 1: a state, or ~symbol. */
type Tree = number[][]

function growTree(): Tree {
  const tree: Tree = [[]]
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let state = ROOT
    for (let bit = CODE_BITS[symbol]! - 1; bit > 0; bit--) state = childState(tree, state, (CODES[symbol]! >>> bit) & 1)
    tree[state]![CODES[symbol]! & 1] = ~symbol
  }
  return tree
}

function childState(tree: Tree, state: number, bit: number): number {
  const branches = tree[state]!
  branches[bit] ??= tree.push([]) - 1
  return branches[bit]
}

function transition(tree: Tree, from: number, bits: number): number {
  let state = from
  let symbol = 0
  for (let bit = 3; bit >= 0 && state !== REJECTED; bit--) {
    const next = tree[state]![(bits >>> bit) & 1]!
    if (next < 0 && next !== ~EOS) symbol = ~next | 0x100
    state = next === ~EOS ? REJECTED : Math.max(next, ROOT)
  }
  return ((state << 4) << STATE_SHIFT) | symbol
}

function fillTables(tree: Tree): void {
  for (let at = 0; at < TRANSITIONS.length; at++) TRANSITIONS[at] = transition(tree, at >>> 4, at & 0xf)
  for (let state = ROOT, bits = 0; state >= 0; state = tree[state]![1]!) PADDING_BITS[state] = bits++
}

fillTables(growTree())
