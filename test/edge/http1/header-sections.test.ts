import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeaderSections } from '../../../src/edge/http1/header-sections.ts'
import { REQUEST_LIMITS } from '../../../src/edge/http1/limits.ts'

const LINES = 'Host: a.example\r\nAccept: */*\r\nContent-Length: 5\r\n'

function read(sections: HeaderSections, lines: string) {
  const head = `POST / HTTP/1.1\r\n${lines}`
  return sections.read(head, head.indexOf('\r\n') + 2)
}

test('a section that equals the last one is not read again', () => {
  const sections = new HeaderSections('requests', REQUEST_LIMITS)
  const first = read(sections, LINES)
  assert.deepEqual(first.fields, ['Accept', '*/*', 'Content-Length', '5'])
  assert.equal(first.control.host, 'a.example')
  assert.equal(read(sections, LINES), first)
})

test('a section that differs in one byte is read for itself', () => {
  const sections = new HeaderSections('requests', REQUEST_LIMITS)
  read(sections, LINES)
  assert.equal(read(sections, LINES.replace('5', '6')).control.contentLength, '6')
  assert.equal(read(sections, LINES.replace('a.example', 'b.example')).control.host, 'b.example')
  assert.equal(read(sections, LINES).control.host, 'a.example')
})

test('a section that is refused is refused again, and the one before is not taken for it', () => {
  const sections = new HeaderSections('requests', REQUEST_LIMITS)
  read(sections, LINES)
  for (const lines of [`${LINES}Content-Length: 5\r\n`, `${LINES}Content-Length : 5\r\n`]) {
    assert.throws(() => read(sections, lines))
    assert.throws(() => read(sections, lines))
  }
  assert.equal(read(sections, LINES).control.contentLength, '5')
})

test('a long section is not held on to', () => {
  const sections = new HeaderSections('requests', REQUEST_LIMITS)
  const lines = `${LINES}Cookie: ${'c'.repeat(5000)}\r\n`
  const first = read(sections, lines)
  const second = read(sections, lines)
  assert.notEqual(first, second)
  assert.deepEqual(first, second)
})

test('a response keeps a Host field, which says nothing there', () => {
  const sections = new HeaderSections('responses', REQUEST_LIMITS)
  assert.deepEqual(read(sections, 'Host: a.example\r\n').fields, ['Host', 'a.example'])
})
