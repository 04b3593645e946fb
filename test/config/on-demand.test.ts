import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from '../../src/config/problem.ts'
import { loadGood } from './config-folder.ts'
import { APP, type Case, GOOD, siteWith, testRefusals } from './refusal-cases.ts'

const NAME = 'write the name only, such as "www.example.com", "*.example.com" or an IP address'
const ASK = 'allowed: an http:// or https:// URL, such as "http://localhost:6001/may-i"'
const ADDRESS = 'allowed: an address or a network of your own, such as "203.0.113.7" or "2001:db8::/64"'
const NEEDED = 'onDemand with ask, a URL that says which names may have a certificate, or with allow, a list of names'

/** The site "*" with this as its onDemand, whose first key stands at 4:17. */
const onDemand = (written: string, name = '*'): string => siteWith(`onDemand: { ${written} }`, name)
const KEY = 'sites."*".onDemand'

const cases: Case[] = [
  ['any other name that nobody permits', siteWith('', '*'), `2:3: sites."*": found no onDemand; allowed: ${NEEDED}`],
  [
    'neither ask nor allow',
    onDemand('wait: 5s'),
    `4:5: ${KEY}: found a mapping, which lets anybody have certificates issued without end; give ask, a URL that says who may have a certificate, or allow, a list of names`,
  ],
  [
    'a listed site on demand',
    onDemand('ask: http://h', 'a.example'),
    '4:5: sites."a.example".onDemand: found a mapping, which is for the site "*" alone, any name that no site lists; move it there',
  ],
  [
    'aliases of any other name',
    `sites: { "*": { upstream: "${APP}", aliases: [a.example], onDemand: { ask: http://h } } }`,
    '1:52: sites."*".aliases: found a list, but "*" is every name already; leave them out',
  ],
  [
    'any other name as an alias',
    siteWith('aliases: ["*"]'),
    `4:15: sites."a.example".aliases[0]: found "*", which is a site of its own, any name that no other site lists, and nothing else; ${NAME}`,
  ],
  ['something else to ask', onDemand('ask: localhost'), `4:22: ${KEY}.ask: found "localhost"; ${ASK}`],
  [
    'a password for whom to ask',
    onDemand('ask: "http://u:p@h/"'),
    `4:22: ${KEY}.ask: found "http://***@h/", which has a user name or a password; ${ASK}`,
  ],
  [
    'an address that may have a certificate on demand',
    onDemand('allow: 192.0.2.1'),
    `4:24: ${KEY}.allow: found "192.0.2.1", but an address is never certified on demand; ${NAME}`,
  ],
  [
    'no address of our own',
    onDemand('ask: http://h, addresses: [unix]'),
    `4:44: ${KEY}.addresses[0]: found "unix"; ${ADDRESS}`,
  ],
  [
    'limits that let nobody in',
    onDemand('ask: http://h, perHour: { names: 0 }'),
    `4:50: ${KEY}.perHour.names: found 0; allowed: a whole number from 1 to 1000000`,
  ],
]

testRefusals(cases)

test('only what must be said of any other name need be said', async () => {
  const { config, warnings } = await loadGood(
    `${GOOD.replace(' }', `, "*": { upstream: ${APP}, onDemand: { ask: "http://h/x?y=1" } } }`)}acceptTerms: true\n`,
  )
  assert.deepEqual(warnings, [])
  const [, site] = config.sites
  assert.deepEqual(site!.names, ['*'])
  assert.deepEqual(site!.onDemand, {
    ask: 'http://h/x?y=1',
    allow: [],
    addresses: undefined,
    waitMs: 20_000,
    waiting: 100,
    refusedForMs: 600_000,
    keepForMs: 2_592_000_000,
    perHour: { names: 100, namesPerDomain: 20, namesPerAddress: 20, questions: 3600 },
  })
})

test('names on demand come from a public CA, whose terms are to be accepted', async () => {
  const { warnings } = await loadGood(`sites: { "*": { upstream: ${APP}, onDemand: { allow: a.example.com } } }`)
  assert.match(formatProblem(warnings[0]!), /letsencrypt will issue nothing/)
})
