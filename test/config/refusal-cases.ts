import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Files, problemsOf } from './config-folder.ts'

/** What is refused, the config (or its files), and the line of each problem, without `castellan.yaml:` in front. */
export type Case = readonly [rule: string, config: string | Files, ...problems: string[]]

/** A test for each case: exactly these problems, and no others. */
export function testRefusals(cases: readonly Case[]): void {
  for (const [rule, config, ...expected] of cases) {
    test(`refuses ${rule}`, async () => {
      const lines = expected.map((line) => (/^\d/.test(line) ? `castellan.yaml:${line}` : line))
      assert.deepEqual(await problemsOf(config), lines)
    })
  }
}

export const APP = 'http://localhost:3000'

/** A good site, so that nothing else is wrong. */
export const GOOD = `sites: { a.example: ${APP} }\n`

/** A config with one site of this form: its name starts at 2:3, and its settings at 4:5. */
export const siteWith = (settings: string, name = 'a.example'): string =>
  `sites:\n  ${JSON.stringify(name)}:\n    upstream: ${APP}\n    ${settings}\n`
