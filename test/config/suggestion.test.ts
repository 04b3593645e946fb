import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean } from '../../src/config/suggestion.ts'

const words = ['upstream', 'redirectTo', 'redirect', 'hsts', 'rsa-2048', 'rsa-3072', 'on', 'off']

test('suggests what was probably meant: letters missing, too many, wrong or swapped, other case and hyphens', () => {
  const misspelt: [string, string][] = [
    ['upsteam', 'upstream'],
    ['upstreamm', 'upstream'],
    ['upstraem', 'upstream'],
    ['UPSTREAM', 'upstream'],
    ['redirect_to', 'redirectTo'],
    ['rsa2048', 'rsa-2048'],
    ['rsa-3027', 'rsa-3072'],
    ['hst', 'hsts'],
    ['onn', 'on'],
  ]
  for (const [word, meant] of misspelt) assert.equal(didYouMean(word, words), `did you mean "${meant}"?`, word)
})

test('suggests nothing for another word, or for one of any length', () => {
  for (const word of ['', 'certificate', 'x'.repeat(100_000)]) assert.equal(didYouMean(word, words), undefined)
})
