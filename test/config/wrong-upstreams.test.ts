import { type Case, siteWith, testRefusals } from './refusal-cases.ts'

const UPSTREAM = 'allowed: http://host:port, https://host:port, unix:/path; for HTTP/2 h2://host:port, h2c://host:port'
const TIMEOUT = 'allowed: a number and ms, s, m, h or d, such as "90s", from 100ms to 1d'
const TIMEOUT_OF_CHECKS = 'allowed: a number and ms, s, m, h or d, such as "90s", from 100ms to 1h'
const TARGETS = 'allowed: a URL, or a list of URLs and of { url: URL, weight: N }'
const HASH = 'allowed: { header: NAME }, { cookie: NAME } or clientAddress'
const BALANCE =
  'allowed: leastRequests, roundRobin, random, firstAvailable, or { hash: … } with { header: NAME }, { cookie: NAME } or ' +
  'clientAddress'
const SERVER_NAME = 'allowed: a name or an IP address that its certificate has, such as "backend.internal"'
const PEM = 'allowed: a PEM file with -----BEGIN CERTIFICATE-----'

/** A site whose upstream is this: it begins at 3:15. */
const upstream = (written: string): string => `sites:\n  a.test:\n    upstream: ${written}\n`
const KEY = 'sites."a.test".upstream'

const cases: Case[] = [
  [
    'an upstream that is a list',
    upstream('[http://h]'),
    `3:5: ${KEY}: found a list; several addresses go into a mapping: { to: [URL, URL] }`,
  ],
  [
    'addresses that are none, or there twice',
    upstream('{ to: [http://h, 80, { url: http://h, weight: 0 }] }'),
    `3:32: ${KEY}.to[1]: found 80; did you mean "http://localhost:80"? ${UPSTREAM}`,
    `3:61: ${KEY}.to[2].weight: found 0; allowed: a whole number from 1 to 1000`,
  ],
  [
    'an address that is there twice',
    upstream('{ to: [http://h, { url: http://h:80/ }] }'),
    `3:32: ${KEY}.to[1]: it is in this list already; name each once`,
  ],
  [
    'a list without addresses',
    upstream('{ to: [] }'),
    `3:17: ${KEY}.to: found a list; at least one is needed; ${TARGETS}`,
  ],
  [
    'a socket whose every address is to count',
    upstream('{ to: unix:/a, resolve: all }'),
    `3:21: ${KEY}.to: found "unix:/a", but a socket has no addresses; remove resolve: all`,
  ],
  [
    'an upstream that leads nowhere',
    upstream('{ timeouts: { idle: 1s } }'),
    `3:5: ${KEY}.to: found nothing; ${UPSTREAM}`,
  ],
  [
    'a port in the place of a URL',
    upstream('{ to: 3000 }'),
    `3:21: ${KEY}.to: found 3000; did you mean "http://localhost:3000"? ${UPSTREAM}`,
  ],
  [
    'a queue for which there is no bound',
    upstream('{ to: http://h, limits: { queue: 3, wait: 1s } }'),
    `3:48: ${KEY}.limits.queue: found 3, but nothing waits without a number for "concurrent"; set that here, too`,
    `3:57: ${KEY}.limits.wait: found "1s", but nothing waits without a number for "concurrent"; set that here, too`,
  ],
  [
    'a way of balancing that is none',
    upstream('{ to: http://h, balance: leastRequest }'),
    `3:40: ${KEY}.balance: found "leastRequest"; did you mean "leastRequests"? ${BALANCE}`,
  ],
  [
    'hash without what must be equal',
    upstream('{ to: http://h, balance: hash }'),
    `3:40: ${KEY}.balance: found "hash"; ${BALANCE}`,
  ],
  [
    'a hash of two things at once, or of nothing',
    upstream('{ to: http://h, balance: { hash: { header: A, cookie: b } } }'),
    `3:42: ${KEY}.balance.hash: found a mapping; exactly one key is needed; ${HASH}`,
  ],
  [
    'checks and retries that make no sense',
    upstream('{ to: http://h, health: { path: healthz, every: 1ms, status: 99 }, retries: 11, sticky: on }'),
    `3:47: ${KEY}.health.path: found "healthz"; allowed: a path with a slash in front, such as /healthz`,
    `3:63: ${KEY}.health.every: found "1ms", which is too short; ${TIMEOUT_OF_CHECKS}`,
    `3:76: ${KEY}.health.status: found 99; allowed: a whole number from 200 to 599`,
    `3:91: ${KEY}.retries: found 11; allowed: a whole number from 0 to 10`,
    `3:103: ${KEY}.sticky: found "on"; allowed: a mapping with cookie`,
  ],
  [
    'an unknown key of an upstream',
    upstream('{ to: http://h, timeout: 5s }'),
    `3:31: ${KEY}.timeout: unknown key; did you mean "timeouts"? allowed: to, resolve, balance, sticky, health, retries, limits, timeouts, tls, proxyProtocol`,
  ],
  [
    'timeouts that are none, or for ever',
    upstream('{ to: http://h, timeouts: { connect: 0s, firstByte: 60, idle: 2d } }'),
    `3:52: ${KEY}.timeouts.connect: found "0s", which is too short; ${TIMEOUT}`,
    `3:67: ${KEY}.timeouts.firstByte: found 60; did you mean "60s"? ${TIMEOUT}`,
    `3:77: ${KEY}.timeouts.idle: found "2d", which is too long; ${TIMEOUT}`,
  ],
  [
    'settings of TLS for an upstream without TLS',
    upstream('{ to: http://h, tls: { serverName: h } }'),
    `3:31: ${KEY}.tls: found a mapping, but http:// is without TLS; allowed: tls with https:// and h2:// only`,
  ],
  [
    'a version of the PROXY protocol that is none',
    upstream('{ to: http://h, proxyProtocol: v3 }'),
    `3:46: ${KEY}.proxyProtocol: found "v3"; did you mean "v1"? allowed: v1, v2`,
  ],
  [
    'a server name that is none',
    upstream('{ to: https://h, tls: { serverName: "https://backend" } }'),
    `3:51: ${KEY}.tls.serverName: found "https://backend"; ${SERVER_NAME}`,
  ],
  [
    'a file to trust that holds a key',
    {
      'castellan.yaml': upstream('{ to: https://h, tls: { trust: a.key } }'),
      'a.key': '-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n',
    },
    `3:46: ${KEY}.tls.trust: found "a.key", but a.key holds a private key (are certificate and key swapped?); ${PEM}`,
  ],
  [
    'a file to trust that is damaged',
    {
      'castellan.yaml': upstream('{ to: https://h, tls: { trust: a.pem } }'),
      'a.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    },
    `3:46: ${KEY}.tls.trust: found "a.pem", but a certificate in a.pem is damaged; ${PEM}`,
  ],
  [
    'an upstream with settings beside a redirect',
    siteWith('redirectTo: https://b.example').replace('upstream: http://localhost:3000', 'upstream: { to: http://h }'),
    '2:3: sites."a.example": found upstream and redirectTo together; allowed: exactly one of upstream, redirectTo and respond',
  ],
]

testRefusals(cases)
