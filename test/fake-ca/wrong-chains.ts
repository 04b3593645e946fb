import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { Authority, type ChainOf, type LeafTerms } from './certificates.ts'

const DAY_MS = 24 * 60 * 60 * 1000

const signedAnew =
  (changes: (terms: LeafTerms) => Partial<LeafTerms> | Promise<Partial<LeafTerms>>): ChainOf =>
  async (_, terms, authority) =>
    (await authority.sign({ ...terms, ...(await changes(terms)) })) + authority.intermediates[0]

/** Chains that no client may serve, and what is wrong with them in the words of whoever refuses them. */
export const wrongChains: readonly [what: string, chainOf: ChainOf, words: RegExp][] = [
  [
    'for another key',
    signedAnew(async () => ({ publicKey: (await generateKey('ecdsa-p256')).publicKey })),
    /for another key/,
  ],
  ['for other names', signedAnew(() => ({ names: ['other.test'] })), /is not for a\.test/],
  ['that has expired', signedAnew(({ notBefore }) => ({ notAfter: notBefore + 1000 })), /expired on/],
  [
    'that begins tomorrow',
    signedAnew(({ notBefore }) => ({ notBefore: notBefore + 2 * DAY_MS })),
    /is not valid before/,
  ],
  [
    'with a private key behind it',
    async (leaf, _, { intermediates, keys }) => leaf + intermediates[0] + exportPrivateKey(keys.privateKey),
    /PRIVATE KEY/,
  ],
  ['with text before it', (leaf, _, { intermediates }) => `Here you are:\n${leaf}${intermediates[0]}`, /not PEM/],
  [
    'with the intermediate of another CA',
    async (leaf, { notBefore }) => leaf + (await Authority.create(notBefore)).intermediates[0],
    /not signed by the next/,
  ],
  ['with its intermediate first', (leaf, _, { intermediates }) => intermediates[0] + leaf, /is a CA's, not a server's/],
  ['that is cut off', (leaf) => leaf.slice(0, 300), /not PEM|cannot be read/],
  ['that is empty', () => '', /empty/],
]
