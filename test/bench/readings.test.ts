import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyLength } from '../../bench/load/connection.ts'
import { parseH2load } from '../../bench/load/h2load.ts'
import { parseLatency, parseWrk } from '../../bench/load/wrk.ts'
import { cpuSeconds, memoryBytes, parsePss, parseStat, processTree } from '../../bench/process-tree.ts'

// What the benchmark reads from others' words: a wrong reading would be a wrong figure.

const wrkOutput = (errors = ''): string => `Running 3s test @ https://localhost:8443/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms  301.52us   9.74ms   91.22%
    Req/Sec    31.20k     1.09k   32.61k    80.65%
  96151 requests in 3.10s, 15.22MB read
${errors}Requests/sec:  31015.57
Transfer/sec:      4.91MB
`

test("wrk's requests are counted", () => {
  assert.equal(parseWrk(wrkOutput()), 96151)
})

test('a load with wrk that met errors, or none at all, is no figure', () => {
  for (const output of [
    wrkOutput('  Socket errors: connect 0, read 3, write 0, timeout 0\n'),
    wrkOutput('  Non-2xx or 3xx responses: 12\n'),
    wrkOutput().replace('96151', '0'),
    'unable to connect to localhost:8443 Connection refused',
  ])
    assert.throws(() => parseWrk(output), { code: 'load-failed' })
})

const h2loadOutput = `starting benchmark...
TLS Protocol: TLSv1.3
Application protocol: h2

finished in 3.00s, 40321.33 req/s, 5.81MB/s
requests: 120964 total, 121092 started, 120964 done, 120964 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 120964 2xx, 0 3xx, 0 4xx, 0 5xx
`

test("h2load's requests are counted", () => {
  assert.equal(parseH2load(h2loadOutput), 120964)
})

test('a load with h2load that met errors, another protocol, or nothing at all, is no figure', () => {
  for (const output of [
    h2loadOutput.replace('0 failed', '1 failed'),
    h2loadOutput.replace('0 errored', '1 errored'),
    h2loadOutput.replace('0 timeout', '1 timeout'),
    h2loadOutput.replace('120964 succeeded', '0 succeeded'),
    h2loadOutput.replace('protocol: h2', 'protocol: http/1.1'),
    'could not resolve localhost',
  ])
    assert.throws(() => parseH2load(output), { code: 'load-failed' })
})

test('the length of a body comes from the head of a 200 (RFC 9112 §6.3)', () => {
  assert.equal(bodyLength('HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 12\r\nDate: y'), 12)
  assert.equal(bodyLength('HTTP/1.1 200 OK\r\nContent-Length:12'), 12)
  for (const head of [
    'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 12',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 200 OK\r\nX-Content-Length: 12',
  ])
    assert.throws(() => bodyLength(head), { code: 'answer-wrong' })
})

test('CPU time is the four times of /proc/PID/stat, whatever the program is called', () => {
  const numbers = Array.from({ length: 49 }, (_, index) => String(index + 4))
  numbers[0] = '41' // The parent is field 4.
  const stat = parseStat(`42 (a (b) c) S ${numbers.join(' ')}\n`)
  assert.deepEqual(stat, { pid: 42, parent: 41, ticks: 14 + 15 + 16 + 17 })
  for (const text of ['', '42 (a) S 41', 'x (a) S '.concat(numbers.join(' '))]) assert.throws(() => parseStat(text))
})

test('memory is the proportional set size', () => {
  assert.equal(parsePss('Rss:  9 kB\nPss:              2000 kB\nPss_Anon: 7 kB\n'), 2_048_000)
  assert.throws(() => parsePss('Rss: 9 kB\n'))
})

test("this process and its parent's tree are found", { skip: process.platform !== 'linux' && 'needs /proc' }, () => {
  assert.deepEqual(processTree(process.pid)[0]?.pid, process.pid)
  assert.ok(processTree(process.ppid).some(({ pid }) => pid === process.pid))
  assert.ok(cpuSeconds(process.pid) > 0)
  assert.ok(memoryBytes(process.pid) > 10_000_000)
})

test('what wrk says of latency is read in milliseconds', () => {
  const output = [
    ...['  Thread Stats   Avg      Stdev     Max   +/- Stdev', '    Latency   500.00us  100.00us   5.00ms   90.00%'],
    ...[
      '  Latency Distribution',
      '     50%  450.00us',
      '     75%  600.00us',
      '     90%    1.10ms',
      '     99%    2.25ms',
    ],
    ...['  29000 requests in 2.00s, 4.00MB read', 'Requests/sec:  14500.50', 'Transfer/sec:      2.00MB', ''],
  ].join('\n')
  assert.deepEqual(parseLatency(output), { rate: 14_500.5, p50: 0.45, p99: 2.25 })
  assert.equal(parseLatency(output.replace('2.25ms', '1.50s')).p99, 1_500)
  for (const damaged of [output.replace('2.25ms', '2.25m'), output.replace(/^.*99%.*$/m, '')])
    assert.throws(() => parseLatency(damaged), { code: 'load-failed' })
})
