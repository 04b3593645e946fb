import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '../../src/config/problem.ts'
import { substitute } from '../../src/config/substitution.ts'

const env = { NAME: 'value', EMPTY: '', NESTED: `\${NAME}` }

test('variables are replaced by the environment, or by their default if unset or empty', () => {
  const texts: [string, string][] = [
    ['no variable, $NAME, $5', 'no variable, $NAME, $5'],
    [`\${NAME}`, 'value'],
    [`a\${NAME}b\${NAME}c`, 'avaluebvaluec'],
    [`\${EMPTY}`, ''],
    [`\${EMPTY:-x}`, 'x'],
    [`\${UNSET:-}`, ''],
    [`\${UNSET:-a:-b $ c}`, 'a:-b $ c'],
    [`\${NAME:-x}`, 'value'],
    [`$\${NAME}`, `\${NAME}`],
    [`\${NESTED}`, `\${NAME}`],
  ]
  for (const [text, expected] of texts) assert.equal(substitute(text, env), expected, text)
})

test('a variable that is unset or not one is refused, even if it is the name of something that all objects have', () => {
  const texts: [string, RegExp][] = [
    [`\${UNSET}`, /UNSET is not set/],
    [`\${constructor}`, /constructor is not set/],
    [`\${__proto__}`, /__proto__ is not set/],
    [`\${NAME`, /without its/],
    [`\${}`, /does not name/],
    [`\${1A}`, /does not name/],
    [`\${A-B}`, /does not name/],
    [`\${NAME} and \${UNSET}`, /UNSET is not set/],
  ]
  for (const [text, fault] of texts) {
    const refusal = substitute(text, env)
    assert.ok(refusal instanceof Refusal, text)
    assert.match(refusal.fault ?? '', fault)
  }
})
