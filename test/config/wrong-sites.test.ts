import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemsOf } from './config-folder.ts'
import { APP, type Case, GOOD, siteWith, testRefusals } from './refusal-cases.ts'

const SITE_FORMS =
  "allowed: the app's URL, such as http://localhost:3000, or a mapping with upstream, redirectTo, respond or routes"
const UPSTREAM = 'allowed: http://host:port, https://host:port, unix:/path; for HTTP/2 h2://host:port, h2c://host:port'
const REDIRECT = 'allowed: scheme and host, such as "https://www.example.com"'
const NAME = 'write the name only, such as "www.example.com", "*.example.com" or an IP address'
const HSTS = 'allowed: on, off, retire, or a mapping with maxAge, includeSubdomains, preload, ramp'
const PRELOAD = 'preload needs a maxAge of 365d or more and includeSubdomains: true (hstspreload.org)'
const SOME_SITES = 'allowed: at least "sites:" with a name and the URL of its app'

const sites: Case[] = [
  ['no sites', 'workers: auto', `1:1: sites: found nothing to serve; ${SOME_SITES}`],
  ['a site without anything', 'sites:\n  a.example:', `2:13: sites."a.example": found nothing; ${SITE_FORMS}`],
  ['a site with a list', 'sites:\n  a.example:\n    - http://h', `2:3: sites."a.example": found a list; ${SITE_FORMS}`],
  [
    'both an upstream and a redirect',
    siteWith('redirectTo: https://b.example'),
    '2:3: sites."a.example": found upstream and redirectTo together; allowed: exactly one of upstream, redirectTo and respond',
  ],
  [
    'neither an upstream nor a redirect',
    'sites:\n  a.example: { redirect: off }',
    '2:3: sites."a.example": found none of upstream, redirectTo and respond; allowed: exactly one of upstream, redirectTo and respond',
  ],
  [
    'an upstream without a scheme',
    'sites:\n  a.example: localhost:3000',
    `2:14: sites."a.example": found "localhost:3000", which has no scheme; did you mean "http://localhost:3000"? ${UPSTREAM}`,
  ],
  [
    'an upstream that is a port',
    'sites:\n  a.example: 3000',
    `2:14: sites."a.example": found 3000; did you mean "http://localhost:3000"? ${UPSTREAM}`,
  ],
  [
    'an upstream with a path',
    'sites:\n  a.example: http://h/app',
    `2:14: sites."a.example": found "http://h/app", which has a path: a path in front of the request's is not supported yet; ${UPSTREAM}`,
  ],
  [
    'an upstream with a password, without showing it',
    'sites:\n  a.example: http://u:hunter2@h',
    `2:14: sites."a.example": found "http://***@h", which has a user name or a password; ${UPSTREAM}`,
  ],
  [
    'an upstream with a port that is none',
    'sites:\n  a.example: http://h:0',
    `2:14: sites."a.example": found "http://h:0", whose port is not from 1 to 65535; ${UPSTREAM}`,
  ],
  [
    'an upstream of a framework',
    'sites:\n  a.example: grpc://h',
    `2:14: sites."a.example": found "grpc://h", but gRPC goes through h2c://; ${UPSTREAM}`,
  ],
  [
    'a redirect with a path',
    'sites:\n  a.example: { redirectTo: https://b.example/x }',
    `2:28: sites."a.example".redirectTo: found "https://b.example/x", but a redirect keeps the request's path and query; give scheme and host only; ${REDIRECT}`,
  ],
  [
    'a redirect to the site itself',
    'sites:\n  a.example: { redirectTo: https://www.a.example/, aliases: [www.a.example] }',
    '2:28: sites."a.example".redirectTo: found "https://www.a.example/", which is this site itself: a redirect without end; give another host, or an upstream',
  ],
  [
    'a redirect to the site itself on a port that is listened on',
    'listen: { https: ":8443" }\nsites:\n  localhost: { redirectTo: "https://localhost:8443" }',
    '3:28: sites.localhost.redirectTo: found "https://localhost:8443", which is this site itself: a redirect without end; give another host, or an upstream',
  ],
  [
    'a wildcard site that redirects into itself',
    'sites:\n  "*.test": { redirectTo: "https://www.test" }',
    '2:27: sites."*.test".redirectTo: found "https://www.test", which is this site itself: a redirect without end; give another host, or an upstream',
  ],
  [
    'a fallback that no site has',
    `${GOOD}fallback: b.example`,
    '2:11: fallback: found "b.example", which is the name of no site; did you mean "a.example"? allowed: one of the names of the sites',
  ],
]

testRefusals(sites)

const names: Case[] = [
  [
    'a URL as a name',
    siteWith('', 'https://a.example/'),
    `2:3: sites."https://a.example/": found "https://a.example/", which has a scheme; did you mean "a.example"? ${NAME}`,
  ],
  [
    'a port in a name',
    siteWith('', 'a.example:443'),
    `2:3: sites."a.example:443": found "a.example:443", which has a port; did you mean "a.example"? ${NAME}`,
  ],
  [
    'a path in a name',
    siteWith('', 'a.example/x'),
    `2:3: sites."a.example/x": found "a.example/x", which has a path; did you mean "a.example"? ${NAME}`,
  ],
  [
    'an underscore in a name',
    siteWith('', 'a_b.example'),
    `2:3: sites."a_b.example": found "a_b.example", which has an underscore: no CA certifies such a name (CA/Browser Forum ballot SC12); ${NAME}`,
  ],
  [
    'a wildcard for a top-level domain',
    siteWith('', '*.com'),
    `2:3: sites."*.com": found "*.com", which stands for every name below a top-level domain; ${NAME}`,
  ],
  [
    'a wildcard from an ACME CA',
    siteWith('', '*.example.com'),
    '2:3: sites."*.example.com": found "*.example.com", to be certified by letsencrypt: wildcard certificates need dns-01, which is not supported yet; use certificate.files or issuer: internal',
  ],
  [
    'a name twice',
    `sites:\n  a.example: ${APP}\n  A.Example.: ${APP}\n  b.example: { upstream: ${APP}, aliases: [c.example, a.example] }`,
    '3:3: sites."A.Example.": found "A.Example.", but this name is taken already at castellan.yaml:2:3; give each name to one site, once',
    '4:70: sites."b.example".aliases[1]: found "a.example", but this name is taken already at castellan.yaml:2:3; give each name to one site, once',
  ],
  [
    'a variable in a name',
    siteWith('', `\${HOST}`),
    `2:3: sites."\${HOST}": found "\${HOST}", but variables are replaced in values, not in the names of sites; ${NAME}`,
  ],
]

testRefusals(names)

const hsts: Case[] = [
  [
    'hsts that is neither on nor off',
    siteWith('hsts: onn'),
    `4:11: sites."a.example".hsts: found "onn"; did you mean "on"? ${HSTS}`,
  ],
  [
    'hsts that is retired by another word',
    siteWith('hsts: retired'),
    `4:11: sites."a.example".hsts: found "retired"; ${HSTS}`,
  ],
  [
    'an hsts ramp to preload for less than a year',
    siteWith('hsts: { ramp: on, includeSubdomains: on, preload: on }'),
    `4:55: sites."a.example".hsts.preload: found "on"; ${PRELOAD}`,
  ],
  [
    'preload without its requirements',
    siteWith('hsts: { maxAge: 365d, preload: on }'),
    `4:36: sites."a.example".hsts.preload: found "on"; ${PRELOAD}`,
  ],
  [
    'preload for less than a year',
    siteWith('hsts: { includeSubdomains: on, preload: on }'),
    `4:45: sites."a.example".hsts.preload: found "on"; ${PRELOAD}`,
  ],
  [
    'a max-age of nothing',
    siteWith('hsts: { maxAge: 0s }'),
    '4:21: sites."a.example".hsts.maxAge: found "0s", which is too short; allowed: a number and ms, s, m, h or d, such as "90s", from 1s to 3650d',
  ],
]

testRefusals(hsts)

test('reports every problem at once, in the order of the file', async () => {
  const config = [
    'workers: 0',
    'fallback: c.example',
    'defaults: { issuer: nobody }',
    'sites:',
    '  b.test: { upstream: http://h, issuer: google }',
    '  a.example: { upsteam: http://h, aliases: [c.example] }',
    '  c.example: http://h/x',
    '  c.example.: http://h',
    'metrics: x',
  ].join('\n')
  const places = (await problemsOf(config)).map((line) => line.split(': ').slice(0, 2).join(' '))
  assert.deepEqual(places, [
    'castellan.yaml:1:10 workers',
    'castellan.yaml:3:21 defaults.issuer',
    'castellan.yaml:5:41 sites."b.test".issuer',
    'castellan.yaml:6:16 sites."a.example".upsteam',
    'castellan.yaml:7:3 sites."c.example"',
    'castellan.yaml:7:14 sites."c.example"',
    'castellan.yaml:8:3 sites."c.example."',
    'castellan.yaml:9:10 metrics',
  ])
})

test('a site with a problem still has its names: nothing else is wrong for its sake', async () => {
  const config = 'fallback: b.example\nsites:\n  a.example: { upstream: 4, aliases: [b.example] }\n'
  assert.deepEqual(
    (await problemsOf(config)).map((line) => line.split(': ')[1]),
    ['sites."a.example".upstream'],
  )
})
