import assert from 'node:assert/strict'
import { test } from 'node:test'
import { growthPerReader, READERS } from './slow-readers.ts'

// `npm run slow-readers` does the same with a thousand.

const READERS_AT_ONCE = 200
/** What garbage there is besides, which is shared by so few here. */
const MARGIN_KIB = 24_576 / READERS_AT_ONCE

for (const [kind, { maxKib }] of Object.entries(READERS))
  test(`a client of ${kind} that stops reading a large file costs a worker ${maxKib} KiB at most`, async (t) => {
    const kib = (await growthPerReader(t, kind as keyof typeof READERS, READERS_AT_ONCE)) / 1024
    assert.ok(kib < maxKib + MARGIN_KIB, `${Math.round(kib)} KiB`)
  })
