import { keysOf } from '../../src/config/schema-elements.ts'
import { APP, type Case, GOOD, siteWith, testRefusals } from './refusal-cases.ts'

const TOP =
  'allowed: contact, acceptTerms, storage, workers, listen, fallback, limits, timeouts, issuers, defaults, sites, include, log, metrics, watch, notify'
const SITE = `allowed: ${keysOf('site').allowed.join(', ')}`
const LISTEN = 'allowed: ":443", "127.0.0.1:443", "[::1]:443", "unix:/run/castellan.sock", "fd:3"'
const KEYS = 'allowed: ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096'
const ISSUERS = 'allowed: letsencrypt, letsencrypt-staging, zerossl, google, internal; or add it to issuers'
const SYNTAX = 'check indentation, quotes and brackets here and on the line before'

const issuer = (settings: string): string =>
  `${GOOD}issuers:\n  corp:\n    directory: https://ca.example/\n    ${settings}\n`

const keys: Case[] = [
  ['an unknown key', `${GOOD}flavour: 3`, `2:1: flavour: unknown key; ${TOP}`],
  [
    'a misspelt key of a site',
    `sites:\n  a.example:\n    upsteam: ${APP}`,
    `3:5: sites."a.example".upsteam: unknown key; did you mean "upstream"? ${SITE}`,
  ],
  [
    'a key in other letters',
    `sites:\n  a.example:\n    redirect_to: https://b.example`,
    `3:5: sites."a.example".redirect_to: unknown key; did you mean "redirectTo"? ${SITE}`,
  ],
  [
    'a key twice',
    `${GOOD}workers: 1\nworkers: 2`,
    '3:1: workers: found the key a second time, first at castellan.yaml:2:1; write each key once',
  ],
  ['the key __proto__', `${GOOD}__proto__: 2`, '2:1: __proto__: found a key that cannot be used; choose another'],
  ['a setting that is to come', `${GOOD}admin: {}`, '2:1: admin: not supported yet; remove it'],
  [
    'a site setting that is to come',
    siteWith('challenge: x'),
    '4:5: sites."a.example".challenge: not supported yet; remove it',
  ],
  [
    'a limit of a site that lets nobody in',
    siteWith('limits: { concurrent: 0 }'),
    '4:27: sites."a.example".limits.concurrent: found 0; allowed: a whole number from 1 to 1000000',
  ],
  [
    'defaults that are to come',
    `${GOOD}defaults:\n  challenge: {}\n  certificate: { mustStaple: maybe }`,
    '3:3: defaults.challenge: not supported yet; remove it',
    '4:30: defaults.certificate.mustStaple: found "maybe"; allowed: on, off, true, false',
  ],
]

testRefusals(keys)

const NETWORK = 'allowed: a network or an address, such as "10.0.0.0/8", "::1", or unix for peers on Unix sockets'

const MODE = 'allowed: an octal mode in quotes, such as "0660" (owner and group), "0600" (owner), "0666" (everybody)'

const SIZE = 'allowed: a number and B, KiB, MiB or GiB, such as "64KiB",'

const values: Case[] = [
  [
    'networks that are none',
    `${GOOD}listen:\n  trustedProxies: [10.0.0.0/33, 10.0.0/8, all, "::/0", "fe80::1%eth0"]`,
    `3:20: listen.trustedProxies[0]: found "10.0.0.0/33", whose length is above 32; ${NETWORK}`,
    `3:33: listen.trustedProxies[1]: found "10.0.0/8"; ${NETWORK}`,
    `3:43: listen.trustedProxies[2]: found "all"; ${NETWORK}`,
    `3:48: listen.trustedProxies[3]: found "::/0", which is everybody: anyone could claim to be anyone; ${NETWORK}`,
    `3:56: listen.trustedProxies[4]: found "fe80::1%eth0"; ${NETWORK}`,
  ],
  [
    'a mode that is a number',
    `${GOOD}listen: { socketMode: 0660 }`,
    `2:23: listen.socketMode: found 660; did you mean "0660"? ${MODE}`,
  ],
  [
    'a mode in other words',
    `${GOOD}listen: { socketMode: rw-rw---- }`,
    `2:23: listen.socketMode: found "rw-rw----"; ${MODE}`,
  ],
  [
    'a mode that lets nobody in',
    `${GOOD}listen: { socketMode: "0066" }`,
    `2:23: listen.socketMode: found "0066", which shuts even its owner out; ${MODE}`,
  ],
  [
    'an access log in a format that nobody knows',
    `${GOOD}log: { access: { format: common } }`,
    '2:26: log.access.format: found "common"; allowed: json, text, combined',
  ],
  [
    'words that others take for a switch, which mean the one that is meant',
    `${GOOD}acceptTerms: no\ndefaults: { redirect: Y }`,
    '2:14: acceptTerms: found "no"; did you mean "off"? allowed: on, off, true, false',
    '3:23: defaults.redirect: found "Y"; did you mean "on"? allowed: on, off, true, false',
  ],
  [
    'metrics where nobody could ask for them',
    `${GOOD}metrics: unix:/run/x.sock`,
    '2:10: metrics: found "unix:/run/x.sock"; allowed: an address and a port, such as "127.0.0.1:9180"',
  ],
  [
    'a PROXY protocol from nobody',
    `${GOOD}listen: { proxyProtocol: { from: [] } }`,
    `2:28: listen.proxyProtocol.from: found a list; at least one is needed; ${NETWORK}`,
  ],
  [
    'sizes that are none',
    `${GOOD}limits: { header: 32k, requestLine: 10MB, bodyRate: 240 }`,
    `2:19: limits.header: found "32k"; did you mean "32KiB"? ${SIZE} from 1KiB to 1MiB`,
    `2:37: limits.requestLine: found "10MB"; did you mean "10MiB"? ${SIZE} from 256B to 1MiB`,
    `2:53: limits.bodyRate: found 240; did you mean "240B"? ${SIZE} from 0B to 1GiB`,
  ],
  [
    'numbers that would be refused with a unit too, so that none is proposed',
    `${GOOD}limits: { requestLine: 12, bodyRate: -3 }\ntimeouts: { header: 0 }`,
    `2:24: limits.requestLine: found 12; ${SIZE} from 256B to 1MiB`,
    `2:38: limits.bodyRate: found -3; ${SIZE} from 0B to 1GiB`,
    '3:21: timeouts.header: found 0; allowed: a number and ms, s, m, h or d, such as "90s", from 1s to 1d',
  ],
  [
    'a header of nothing, and one of more than anybody has',
    `${GOOD}limits: { header: 0B, requestLine: 2MiB }`,
    `2:19: limits.header: found "0B", which is too small; ${SIZE} from 1KiB to 1MiB`,
    `2:36: limits.requestLine: found "2MiB", which is too large; ${SIZE} from 256B to 1MiB`,
  ],
  [
    'limits that are no numbers of this kind',
    `${GOOD}limits: { connections: 0, connectionsPerAddress: 1.5, handshakes: many }`,
    '2:24: limits.connections: found 0; allowed: a whole number from 1 to 1000000',
    '2:50: limits.connectionsPerAddress: found 1.5; allowed: a whole number from 1 to 1000000',
    '2:67: limits.handshakes: found "many"; allowed: a whole number from 1 to 1000000',
  ],
  [
    'a contact that is no e-mail address',
    `${GOOD}contact: ops`,
    '2:10: contact: found "ops"; allowed: an e-mail address, such as "ops@example.com"',
  ],
  [
    'a contact with mailto',
    `${GOOD}contact: mailto:ops@example.com`,
    '2:10: contact: found "mailto:ops@example.com", which needs no mailto:; allowed: an e-mail address, such as "ops@example.com"',
  ],
  [
    'terms that are neither accepted nor not',
    `${GOOD}acceptTerms: yes`,
    '2:14: acceptTerms: found "yes"; did you mean "on"? allowed: on, off, true, false',
  ],
  [
    'a database as storage, without its password',
    `${GOOD}storage: postgres://castellan:hunter2@db/castellan`,
    '2:10: storage: found a database, which is not supported yet as storage; allowed: a folder, such as "./data"',
  ],
  [
    'a storage folder that only a shell would find',
    `${GOOD}storage: ~/data`,
    `2:10: storage: found "~/data", but ~ is only replaced by a shell; did you mean "\${HOME}/data"? allowed: a folder, such as "./data"`,
  ],
  [
    'storage with settings',
    `${GOOD}storage: { url: x }`,
    '2:1: storage: found a mapping; storage with settings of its own is not supported yet; allowed: a folder, such as "./data"',
  ],
  [
    'too many workers',
    `${GOOD}workers: 257`,
    '2:10: workers: found 257; allowed: auto (one a core), or a number from 1 to 256',
  ],
  [
    'half a worker',
    `${GOOD}workers: 0.5`,
    '2:10: workers: found 0.5; allowed: auto (one a core), or a number from 1 to 256',
  ],
  [
    'a duration without a unit',
    `${GOOD}timeouts: { drain: 10 }`,
    '2:20: timeouts.drain: found 10; did you mean "10s"? allowed: a number and ms, s, m, h or d, such as "90s", from 0s to 1d',
  ],
  [
    'a duration that is too long',
    `${GOOD}timeouts: { drain: 25h }`,
    '2:20: timeouts.drain: found "25h", which is too long; allowed: a number and ms, s, m, h or d, such as "90s", from 0s to 1d',
  ],
  [
    'a value that is missing',
    `${GOOD}contact:`,
    '2:9: contact: found nothing; allowed: an e-mail address, such as "ops@example.com"',
  ],
  [
    'log settings that are none',
    `${GOOD}log:\n  level: inf\n  format: xml\n  access: onn`,
    '3:10: log.level: found "inf"; did you mean "info"? allowed: debug, info, warn, error',
    '4:11: log.format: found "xml"; allowed: auto, text, json',
    '5:11: log.access: found "onn"; did you mean "on"? allowed: on, off, or a mapping with file, format',
  ],
  [
    'a list in place of a mapping',
    `${GOOD}log: [info]`,
    '2:1: log: found a list; allowed: a mapping with level, format, access',
  ],
  [
    'a kind of key without its hyphen',
    `${GOOD}defaults: { certificate: { keys: [ecdsa-p256, rsa2048] } }`,
    `2:47: defaults.certificate.keys[1]: found "rsa2048"; did you mean "rsa-2048"? ${KEYS}`,
  ],
  [
    'no kind of key',
    `${GOOD}defaults: { certificate: { keys: [] } }`,
    `2:28: defaults.certificate.keys: found a list; at least one is needed; ${KEYS}`,
  ],
  [
    'the same kind of key twice',
    siteWith('certificate: { keys: [rsa-2048, rsa-2048] }'),
    '4:37: sites."a.example".certificate.keys[1]: found "rsa-2048", which is in this list already; name each once',
  ],
  [
    'a tag that means nothing here',
    `${GOOD}contact: !secret x`,
    `2:10: found what is not YAML: Unresolved tag: !secret; ${SYNTAX}`,
  ],
]

testRefusals(values)

const addresses: Case[] = [
  [
    'a port without a colon',
    `${GOOD}listen: { https: 443 }`,
    `2:18: listen.https: found 443; did you mean ":443"? ${LISTEN}`,
  ],
  [
    'a port that is none',
    `${GOOD}listen: { https: ":65536" }`,
    `2:18: listen.https: found ":65536", whose port is not from 1 to 65535; ${LISTEN}`,
  ],
  [
    'an IPv6 address without brackets',
    `${GOOD}listen: { http: ["::1"] }`,
    `2:18: listen.http[0]: found "::1", which has no port; did you mean "[::1]:443"? ${LISTEN}`,
  ],
  [
    'a host that is none',
    `${GOOD}listen: { http: "300.1.1.1:80" }`,
    `2:17: listen.http: found "300.1.1.1:80", whose host is neither an address nor a name; ${LISTEN}`,
  ],
  [
    'a file descriptor that is taken',
    `${GOOD}listen: { http: fd:2 }`,
    `2:17: listen.http: found "fd:2", but file descriptors start at 3; ${LISTEN}`,
  ],
  [
    'a socket without a path',
    `${GOOD}listen: { http: "unix:" }`,
    `2:17: listen.http: found "unix:", which has no path; ${LISTEN}`,
  ],
  [
    'a socket path that the system would cut short',
    `${GOOD}listen: { http: "unix:/${'x'.repeat(107)}" }`,
    `2:17: listen.http: found "unix:/${'x'.repeat(94)}…", whose absolute path is longer than 107 bytes; allowed: a shorter path`,
  ],
  [
    'an address twice',
    `${GOOD}listen: { https: "[::1]:443", http: [":80", "[0::1]:443"] }`,
    '2:45: listen.http[1]: found "[0::1]:443", but that address is taken already at castellan.yaml:2:11; listen on each address once',
  ],
  [
    'a port on every address and on one',
    `${GOOD}listen: { https: [":443", "127.0.0.1:443"] }`,
    '2:27: listen.https[1]: found "127.0.0.1:443", but that address is taken already at castellan.yaml:2:19; listen on each address once',
  ],
  [
    'no address at all',
    `${GOOD}listen: { https: [], http: [] }`,
    '2:1: listen: found no address to listen on; give https or http an address, such as ":443"',
  ],
]

testRefusals(addresses)

const issuers: Case[] = [
  [
    'an issuer that is none',
    siteWith('issuer: letsencript'),
    `4:13: sites."a.example".issuer: found "letsencript", which is no issuer; did you mean "letsencrypt"? ${ISSUERS}`,
  ],
  [
    'a default issuer that is none',
    `${GOOD}defaults: { issuer: [internal, corp] }`,
    `2:32: defaults.issuer[1]: found "corp", which is no issuer; ${ISSUERS}`,
  ],
  [
    'a public CA for a name that none may certify',
    siteWith('issuer: [internal, zerossl]', 'a.test'),
    '4:24: sites."a.test".issuer[1]: found "zerossl", but no public CA may certify "a.test" (CA/Browser Forum Baseline Requirements §4.2.2); use issuer: internal, or certificate.files',
  ],
  [
    "an issuer of one's own without a directory",
    `${GOOD}issuers:\n  zerosll: { profile: x }`,
    '3:3: issuers.zerosll.directory: found nothing; did you mean "zerossl"? an issuer of your own needs the URL of its ACME directory',
  ],
  [
    'settings for the internal CA',
    `${GOOD}issuers:\n  internal: {}`,
    '3:3: issuers.internal: found "internal", which is the CA in the data folder and has nothing to set; choose another name',
  ],
  [
    'an issuer name that is no path segment',
    `${GOOD}issuers:\n  ../corp: { directory: https://ca.example }`,
    '3:3: issuers."../corp": found "../corp"; allowed: lower-case letters, digits and hyphens, up to 63',
  ],
  [
    'a directory without TLS',
    `${GOOD}issuers:\n  corp:\n    directory: http://ca.example/`,
    '4:16: issuers.corp.directory: found "http://ca.example/", but ACME works over HTTPS only (RFC 8555 §6.1); allowed: an https:// URL, such as "https://ca.corp.example/acme/directory"',
  ],
  [
    'dns-01, which is to come',
    issuer('challenges: [dns-01]'),
    '5:18: issuers.corp.challenges[0]: found "dns-01", which is not supported yet; allowed: tls-alpn-01, http-01',
  ],
  [
    'an account that is neither',
    issuer('account: perite'),
    '5:14: issuers.corp.account: found "perite"; did you mean "perSite"? allowed: perIssuer, perSite',
  ],
  [
    'a profile without a name',
    issuer('profile: { required: true }'),
    '5:5: issuers.corp.profile.name: found nothing; allowed: the name of a profile',
  ],
  ...['300', '300 per 3h', '0 in 3h', '300 in 10s', '300 in 31d', '99999999 in 3h', '1.5 in 1h'].map(
    (rate): Case => [
      `a rate limit of ${rate}`,
      issuer(`rateLimits: { orders: "${rate}" }`),
      `5:27: issuers.corp.rateLimits.orders: found "${rate}"; allowed: a number of 1 or more in minutes, hours or days, such as "300 in 3h", of 30 days at most`,
    ],
  ),
]

testRefusals(issuers)
