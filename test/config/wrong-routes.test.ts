import { type Case, testRefusals } from './refusal-cases.ts'

/** A site with this as its only route: it begins at 3:15. */
const route = (written: string): string => `sites:\n  a.test:\n    routes: [{ ${written} }]\n`
/** A site with this policy: it begins at 4:5. */
const site = (settings: string): string => `sites:\n  a.test:\n    upstream: http://h\n    ${settings}\n`

const PATH =
  'allowed: a path such as "/files/*" (that path and all below it), "/users/*/photo" (* is one segment), "/secret" or "/"'
const ROUTE = 'sites."a.test".routes[0]'
const SITE = 'sites."a.test"'
const VALUE = 'allowed: a value of visible characters, spaces and tabs between them'
const CONNECTION = 'it is about one connection or the framing, which Castellan sees to; remove it'
const STATUSES = '400, 401, 403, 404, 405, 410, 413, 429, 500, 502, 503, 504'
const NAME = 'allowed: the name of a field, such as X-Frame-Options'
const HOST = 'allowed: a host and, where it is not the usual one, a port, such as "app.internal:8080"'
const OURS = 'Castellan itself sets it; see listen.trustedProxies, forwarded and via'
const ACTIONS = 'exactly one of upstream, redirectTo and respond'
const TAKEN = 'which routes[0] takes already; give it another path, or methods'
const PAGE = 'allowed: the path of an HTML file'

const cases: Case[] = [
  [
    'a code of no redirect',
    route('path: /a, redirectTo: "https://b.test", code: 200'),
    `3:62: ${ROUTE}.code: found 200; allowed: a whole number from 301 to 308`,
  ],
  [
    'a queue for which there is no bound',
    route('path: /a, upstream: "http://h", limits: { queue: 3 }'),
    `3:65: ${ROUTE}.limits.queue: found 3, but nothing waits without a number for "concurrent"; set that here, too`,
  ],
  [
    'a queue of a site for which there is no bound',
    site('limits: { wait: 1s }'),
    `4:21: ${SITE}.limits.wait: found "1s", but nothing waits without a number for "concurrent"; set that here, too`,
  ],
  [
    'a path without a slash',
    route('path: files, respond: 404'),
    `3:22: ${ROUTE}.path: found "files", which does not begin with a slash; ${PATH}`,
  ],
  [
    'a path with a query',
    route('path: "/a?b", respond: 404'),
    `3:22: ${ROUTE}.path: found "/a?b", but a route is chosen by the path alone; ${PATH}`,
  ],
  [
    'a path that no normalized request has',
    route('path: "/a/../b", respond: 404'),
    `3:22: ${ROUTE}.path: found "/a/../b", which no request has once it is normalized; did you mean "/b"? ${PATH}`,
  ],
  [
    'a path with an escape of what needs none',
    route('path: "/%61dmin", respond: 404'),
    `3:22: ${ROUTE}.path: found "/%61dmin", which no request has once it is normalized; did you mean "/admin"? ${PATH}`,
  ],
  [
    'a path with a character that no path has',
    route('path: "/a b", respond: 404'),
    `3:22: ${ROUTE}.path: found "/a b", which has a character that no path has; write it as %XX; ${PATH}`,
  ],
  [
    'a star that is not a whole segment',
    route('path: "/a*", respond: 404'),
    `3:22: ${ROUTE}.path: found "/a*", but * stands for a whole segment; ${PATH}`,
  ],
  ['a route without a path', route('respond: 404'), `3:14: ${ROUTE}.path: found nothing; ${PATH}`],
  [
    'a prefix that the path does not begin with',
    route('path: "/files/*", stripPrefix: /file, respond: 404'),
    `3:47: ${ROUTE}.stripPrefix: found "/file", which the path "/files/*" does not begin with; allowed: whole segments from the front of the path`,
  ],
  [
    'a prefix with a star',
    route('path: "/files/*", stripPrefix: "/*", respond: 404'),
    `3:47: ${ROUTE}.stripPrefix: found "/*"; allowed: the path that is taken off the front, such as "/files"`,
  ],
  [
    'a prefix that is the root',
    route('path: "/*", stripPrefix: /, respond: 404'),
    `3:41: ${ROUTE}.stripPrefix: found "/"; allowed: the path that is taken off the front, such as "/files"`,
  ],
  [
    'a route that does nothing',
    route('path: /a'),
    `3:14: ${ROUTE}: found none of upstream, redirectTo and respond; allowed: ${ACTIONS}`,
  ],
  [
    'a route with two actions',
    route('path: /a, respond: 404, redirectTo: "https://b.example"'),
    `3:14: ${ROUTE}: found redirectTo and respond together; allowed: ${ACTIONS}`,
  ],
  [
    'a code without a redirect',
    route('path: /a, respond: 404, code: 301'),
    `3:40: ${ROUTE}.code: it is of use with redirectTo alone; remove it`,
  ],
  [
    'a code that redirects nobody',
    route('path: /a, redirectTo: "https://b.example", code: 304'),
    `3:65: ${ROUTE}.code: found 304; allowed: 301, 302, 303, 307, 308`,
  ],
  [
    'content of a 204',
    route('path: /a, respond: { status: 204, body: x }'),
    `3:50: ${ROUTE}.respond.body: 204 has no content (RFC 9110 §6.4.1); remove it`,
  ],
  [
    'a status that is none',
    route('path: /a, respond: 600'),
    `3:35: ${ROUTE}.respond: found 600; allowed: a whole number from 200 to 599`,
  ],
  [
    'a content type that ends its line',
    route('path: /a, respond: { body: x, contentType: "a/b\\r\\nX: y" }'),
    `3:59: ${ROUTE}.respond.contentType: found "a/b\\r\\nX: y"; ${VALUE}`,
  ],
  [
    'a method that is none',
    route('path: /a, respond: 404, methods: [GET, "P T"]'),
    `3:55: ${ROUTE}.methods[1]: found "P T"; allowed: a method, such as GET or POST`,
  ],
  [
    'a method that is there twice',
    route('path: /a, respond: 404, methods: [GET, get]'),
    `3:55: ${ROUTE}.methods[1]: found "get", which is in this list already; name each once`,
  ],
  [
    'routes that are no list',
    'sites:\n  a.test:\n    routes: { path: /a, respond: 404 }\n',
    `3:5: ${SITE}.routes: found a mapping; allowed: a list of mappings with path and one of upstream, redirectTo, respond`,
  ],
  [
    'the same path twice, in whatever case',
    'sites:\n  a.test:\n    routes:\n      - { path: /a, respond: 404 }\n      - { path: /A, respond: 403 }\n',
    `5:17: ${SITE}.routes[1].path: found "/A", ${TAKEN}`,
  ],
  [
    'the same methods twice: GET takes HEAD along',
    'sites:\n  a.test:\n    routes:\n      - { path: /a, methods: [GET], respond: 404 }\n' +
      '      - { path: /a, methods: [HEAD, GET], respond: 403 }\n',
    `5:17: ${SITE}.routes[1].path: found "/a", ${TAKEN}`,
  ],
  [
    'the name of a field that is none',
    site('headers: { request: { set: { "X Y": 1 } } }'),
    `4:41: ${SITE}.headers.request.set."X Y": "X Y" is no name of a field; ${NAME}`,
  ],
  [
    'the name of a field to remove that is none',
    site('headers: { response: { remove: "X:" } }'),
    `4:36: ${SITE}.headers.response.remove: "X:" is no name of a field; ${NAME}`,
  ],
  [
    'a value that ends its line',
    site('headers: { response: { set: { X-A: "b\\r\\nX-C: d" } } }'),
    `4:40: ${SITE}.headers.response.set.X-A: found "b\\r\\nX-C: d"; ${VALUE}`,
  ],
  [
    'a value with spaces around it',
    site('headers: { response: { add: { X-A: " b" } } }'),
    `4:40: ${SITE}.headers.response.add.X-A: found " b"; ${VALUE}`,
  ],
  [
    'a value beyond ASCII',
    site('headers: { response: { add: { X-A: "ü" } } }'),
    `4:40: ${SITE}.headers.response.add.X-A: found "ü"; ${VALUE}`,
  ],
  [
    'a value that is a list',
    site('headers: { response: { add: { X-A: [b] } } }'),
    `4:35: ${SITE}.headers.response.add.X-A: found a list; ${VALUE}`,
  ],
  [
    'fields that are about the connection',
    site('headers: { request: { set: { Upgrade: x, te: trailers } } }'),
    `4:43: ${SITE}.headers.request.set.Upgrade: ${CONNECTION}`,
    `4:50: ${SITE}.headers.request.set.te: ${CONNECTION}`,
  ],
  [
    'fields of the framing, removed',
    site('headers: { response: { remove: [Content-Length] } }'),
    `4:37: ${SITE}.headers.response.remove[0]: ${CONNECTION}`,
  ],
  [
    'fields that Castellan sets',
    site('headers: { request: { set: { X-Forwarded-For: 1 }, remove: Via } }'),
    `4:51: ${SITE}.headers.request.set.X-Forwarded-For: ${OURS}`,
    `4:64: ${SITE}.headers.request.remove: ${OURS}`,
  ],
  [
    'HSTS by hand',
    site('headers: { response: { set: { Strict-Transport-Security: max-age=1 } } }'),
    `4:62: ${SITE}.headers.response.set.Strict-Transport-Security: it has a setting of its own, which warns of what it does; use hsts`,
  ],
  [
    'a Host that is none',
    site('headers: { request: { set: { Host: "http://a/b" } } }'),
    `4:40: ${SITE}.headers.request.set.Host: found "http://a/b", which is no host; ${HOST}`,
  ],
  [
    'a second Host',
    site('headers: { request: { add: { Host: a } } }'),
    `4:40: ${SITE}.headers.request.add.Host: a request has just one Host (RFC 9112 §3.2); use set`,
  ],
  [
    'no Host',
    site('headers: { request: { remove: host } }'),
    `4:35: ${SITE}.headers.request.remove: a request has just one Host (RFC 9112 §3.2); use set`,
  ],
  [
    'error pages that are a switch',
    site('errors: on'),
    `4:13: ${SITE}.errors: found "on"; allowed: off, or a mapping with a file for each of ${STATUSES}, default, and intercept`,
  ],
  [
    'an error page that is not there',
    site('errors: { 404: ./none.html, default: ./none }'),
    `4:20: ${SITE}.errors."404": found "./none.html", but none.html: there is no such file; ${PAGE}`,
    `4:42: ${SITE}.errors.default: found "./none", but none: there is no such file; ${PAGE}`,
  ],
  [
    'an error page for what is no error',
    site('errors: { 200: ./ok.html }'),
    `4:15: ${SITE}.errors."200": unknown key; did you mean "400"? allowed: ${STATUSES}, default, intercept`,
  ],
  [
    'an error page that is too large',
    { 'castellan.yaml': site('errors: { 502: ./big.html }'), 'big.html': 'x'.repeat(65_537) },
    `4:20: ${SITE}.errors."502": found "./big.html", but big.html: it is larger than 64 KiB; ${PAGE}`,
  ],
  [
    'what cannot be intercepted',
    site('errors: { intercept: [200] }'),
    `4:27: ${SITE}.errors.intercept[0]: found 200; allowed: a list of ${STATUSES}`,
  ],
]

testRefusals(cases)
