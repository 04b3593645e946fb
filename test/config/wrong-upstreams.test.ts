import { type Case, siteWith, testRefusals } from './refusal-cases.ts'

const UPSTREAM = 'allowed: http://host:port, https://host:port, unix:/path; for HTTP/2 h2://host:port, h2c://host:port'
const TIMEOUT = 'allowed: a number and ms, s, m, h or d, such as "90s", from 100ms to 1d'
const SERVER_NAME = 'allowed: a name or an IP address that its certificate has, such as "backend.internal"'
const PEM = 'allowed: a PEM file with -----BEGIN CERTIFICATE-----'

/** A site whose upstream is this: it begins at 3:15. */
const upstream = (written: string): string => `sites:\n  a.test:\n    upstream: ${written}\n`
const KEY = 'sites."a.test".upstream'

const cases: Case[] = [
  [
    'an upstream that is a list',
    upstream('[http://h]'),
    `3:5: ${KEY}: found a list; several upstreams for a site are not supported yet; ${UPSTREAM}`,
  ],
  [
    'several upstreams',
    upstream('{ to: [http://h, http://i] }'),
    `3:17: ${KEY}.to: found a list; several upstreams for a site are not supported yet; ${UPSTREAM}`,
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
    'what an upstream is still to have',
    upstream('{ to: http://h, balance: random, health: {}, retries: 1 }'),
    `3:31: ${KEY}.balance: not supported yet; remove it`,
    `3:48: ${KEY}.health: not supported yet; remove it`,
    `3:60: ${KEY}.retries: not supported yet; remove it`,
  ],
  [
    'an unknown key of an upstream',
    upstream('{ to: http://h, timeout: 5s }'),
    `3:31: ${KEY}.timeout: unknown key; did you mean "timeouts"? allowed: to, timeouts, tls, proxyProtocol`,
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
