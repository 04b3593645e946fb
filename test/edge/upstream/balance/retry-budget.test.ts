import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryBudget } from '../../../../src/edge/upstream/balance/retry-budget.ts'

function spendAll(budget: RetryBudget, now: number): number {
  let spent = 0
  while (budget.spend(now)) spent++
  return spent
}

test('ten retries are there for a start, and no more', () => {
  assert.equal(spendAll(new RetryBudget(), 0), 10)
})

test('a fifth of the requests of the last ten seconds may be retried, and ten more', () => {
  const budget = new RetryBudget()
  for (let second = 0; second < 10; second++) for (let each = 0; each < 100; each++) budget.request(second * 1_000)
  assert.equal(spendAll(budget, 9_999), 210)
  assert.equal(spendAll(budget, 9_999), 0)
})

test('requests and retries of more than ten seconds ago count no more', () => {
  const budget = new RetryBudget()
  for (let each = 0; each < 1_000; each++) budget.request(0)
  assert.equal(spendAll(budget, 0), 210)
  assert.equal(spendAll(budget, 9_999), 0)
  assert.equal(spendAll(budget, 10_000), 10)
  assert.equal(spendAll(budget, 1_000_000), 10)
})
