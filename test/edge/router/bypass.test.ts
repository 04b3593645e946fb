import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RouteSnapshot } from '../../../src/edge/snapshot.ts'
import {
  exchangeBytes,
  plainPolicy,
  type Served,
  serve,
  siteOf,
  startUpstream,
  type Upstream,
  upstreamOf,
} from '../serve.ts'

// Whatever way a protected path is written: either its protection applies, or the request goes nowhere.

/** Ways to write `/admin/users` that some server or other takes for it. */
const SPELLINGS: readonly string[] = [
  ...['/admin/users', '/admin/users/', '/admin//users', '//admin/users', '///admin///users', '/admin/./users'],
  ...['/./admin/users', '/././admin/users', '/admin/x/../users', '/x/../admin/users', '/x/y/../../admin/users'],
  ...['/../admin/users', '/../../admin/users', '/public/../admin/users', '/public/./../admin/users'],
  ...['/public//../admin/users', '/public/../public/../admin/users', '/public/x/../../admin/users'],
  ...['/%61dmin/users', '/%61%64%6d%69%6e/users', '/%41dmin/users', '/admin/%75sers', '/a%64min/user%73'],
  ...[
    '/public/%2e%2e/admin/users',
    '/public/%2E%2e/admin/users',
    '/public/.%2e/admin/users',
    '/public/%2e./admin/users',
  ],
  ...['/%2e/admin/users', '/admin/%2e/users', '/x/%2e%2e/admin/users', '/%2e%2e/admin/users', '/admin%2fusers'],
  ...[
    '/admin%2Fusers',
    '/%2fadmin/users',
    '/%2Fadmin%2Fusers',
    '/public%2f..%2fadmin/users',
    '/public%2f../admin/users',
  ],
  ...['/public/..%2fadmin/users', '/public/%2e%2e%2fadmin/users', '/public/%2e%2e%2fadmin%2fusers', '/.%2fadmin/users'],
  ...['/public%2f%2e%2e%2fadmin%2fusers', '/%2e%2fadmin%2fusers', '/x%2f..%2fadmin%2fusers', '/..%2fadmin/users'],
  ...['/admin\\users', '\\admin\\users', '/\\admin\\users', '/public\\..\\admin\\users', '/public/..\\admin/users'],
  ...[
    '/public\\../admin/users',
    '/admin%5cusers',
    '/admin%5Cusers',
    '/public%5c..%5cadmin%5cusers',
    '/public/..%5cadmin/users',
  ],
  ...[
    '/%5cadmin/users',
    '/%5Cadmin%5Cusers',
    '/x%5c..%5cadmin/users',
    '/.%5cadmin/users',
    '/public/%2e%2e%5cadmin/users',
  ],
  ...[
    '/admin;/users',
    '/admin;x/users',
    '/admin;x=1/users',
    '/admin;x=1;y=2/users',
    '/admin;a=b,c/users',
    '/;/admin/users',
  ],
  ...[
    '/;x/admin/users',
    '/.;/admin/users',
    '/.;x=1/admin/users',
    '/public/..;/admin/users',
    '/public/..;x/admin/users',
  ],
  ...[
    '/public/..;x=1/admin/users',
    '/public/%2e%2e;/admin/users',
    '/public/.%2e;/admin/users',
    '/public;/../admin/users',
  ],
  ...[
    '/x;/..;/admin/users',
    '/admin/users;',
    '/admin/users;jsessionid=1',
    '/admin/users;a/',
    '/admin%3b/users',
    '/admin%3Bx/users',
  ],
  ...['/public/..%3b/admin/users', '/public/%2e%2e%3b/admin/users', '/%3b/admin/users', '/public%3b/..%3b/admin/users'],
  ...[
    '/%252fadmin/users',
    '/admin%252fusers',
    '/admin%252Fusers',
    '/public/%252e%252e/admin/users',
    '/public/%252e%252e%252fadmin/users',
  ],
  ...[
    '/%2561dmin/users',
    '/%25%36%31dmin/users',
    '/public/..%252fadmin/users',
    '/public/..%255cadmin/users',
    '/admin%255cusers',
  ],
  ...[
    '/public/%25252e%25252e/admin/users',
    '/admin%253b/users',
    '/admin%2500/users',
    '/admin%00/users',
    '/admin/users%00',
  ],
  ...[
    '/admin/users%00.png',
    '/admin%00',
    '/admin/users%2500.css',
    '/admin%3fx/users',
    '/admin/users%3fx',
    '/admin/users%3F.css',
  ],
  ...[
    '/admin/users%23x',
    '/admin%23/users',
    '/ADMIN/users',
    '/Admin/Users',
    '/aDmIn/users',
    '/ADMIN/USERS',
    '/%41DMIN/users',
  ],
  ...[
    '/public/../ADMIN/users',
    '/public/%2E%2E/Admin/users',
    '/ADMIN%2fusers',
    '/Admin;x/users',
    '/AdMiN\\users',
    '/admin',
  ],
  ...[
    '/admin/',
    '/admin/.',
    '/admin/users/..',
    '/admin/x/..',
    '//admin',
    '/admin//',
    '/%61dmin',
    '/Admin',
    '/admin;',
    '/admin;x',
  ],
  ...[
    '/admin/;',
    '/admin%2f',
    '/admin%2F..%2Fadmin',
    '/admin%5c',
    '/admin\\',
    '/admin/%2e',
    '/admin%00.js',
    '/admin%3f',
  ],
  ...[
    '/admin/users?x',
    '/admin/users?../public',
    '/admin/users?/../../public',
    '//admin/users?a=//b',
    '/admin/../admin/users',
  ],
  // WSGI decodes, and leaves dot segments in.
  ...['/admin%2fusers%2f..%2f..%2fopen', '/admin%5c..%5copen', '/admin%2f%2e%2e%2fopen', '/admin%2f%2e%2e'],
  // Tomcat takes parameters off before it decodes, and what else they hold goes with them.
  ...[
    '/;%2fx/admin/users',
    '/;%5cx/admin/users',
    '/;%3f/admin/users',
    '/;%23/admin/users',
    '/open/..;%2fx/admin/users',
  ],
  ...['/;\\x/admin/users', '/..;\\x/admin/users', '/;%00/admin/users', '/admin;%2f..%2fopen/users'],
  // nginx decodes marks, which then are characters, and resolves dot segments afterwards.
  ...['/open%3f%2f..%2f..%2fadmin/users', '/open%23%2f..%2fadmin%2fusers', '/open%3f/x%2f..%2f..%2f..%2fadmin/users'],
  // URL parsers of browsers do not merge slashes before they go up.
  ...['/admin\\\\..\\users', '/open\\..\\admin\\\\..\\users', '/admin%2f%2f..%2fusers', '/open/.%09.%2fadmin/users'],
  ...['/open/.%0d%0a./admin/users', '/ad%0amin/users', '/%09%2fadmin/users'],
  // Nor do they take what follows two slashes for a path.
  ...['/\\x/admin/users', '/%5cx/admin/users', '/%2fx%2fadmin', '/%2f%2fx/..%2fadmin', '/%5c%5cx%5cadmin'],
  // IIS and Windows.
  ...['/%20/admin/users', '/%20%2fadmin', '/.../admin/users', '/open/../%20./admin/users'],
  ...['/%u002fadmin/users', '/%u0061dmin/users', '/open%u002f..%u002fadmin/users', '/open/%u002e%u002e/admin/users'],
  ...['/%25u0061dmin/users', '/admin%u005cusers', '/admin./users', '/admin.', '/admin.../users', '/admin%20/users'],
  ...[
    '/admin%20',
    '/admin%2e%20/users',
    '/admin%20.',
    '/admin::$INDEX_ALLOCATION/users',
    '/admin:$i30:$INDEX_ALLOCATION',
  ],
  ...['/admin%3a%3a$data', '/admin%3a%3a%24data', '/%u2215admin/users', '/%uff0fadmin/users', '/admin%u2216users'],
  // UTF-8 that is longer than it has to be, and characters that look like others.
  ...['/%c0%afadmin/users', '/admin%c0%afusers', '/open/%c0%ae%c0%ae/admin/users', '/open%c0%af..%c0%afadmin/users'],
  ...['/%c1%a1dmin/users', '/admin%e0%80%afusers', '/admin%f0%80%80%afusers', '/admin%c1%9cusers', '/%C0%AFadmin'],
  ...['/%ef%bc%8fadmin/users', '/open/%ef%bc%8e%ef%bc%8e/admin/users', '/%ef%bd%81dmin/users', '/admin%e2%88%95users'],
  ...['/open/%e2%80%a5/admin/users', '/admin%e2%81%84users', '/%25c0%25afadmin/users', '/admin%ef%bc%bcusers'],
]

let app: Upstream
let proxy: Served
const seen: string[] = []

const GUARD = { type: 'respond', status: 403, fields: [], body: 'guarded' } as const

before(async () => {
  app = await startUpstream((request, response) => {
    seen.push(request.url!)
    response.end('open')
  })
  const open = { type: 'proxy', upstream: upstreamOf(app.address) } as const
  const route = (path: string, action: RouteSnapshot['action']): RouteSnapshot => {
    return {
      path,
      methods: undefined,
      headers: [],
      action,
      stripPrefix: undefined,
      policy: plainPolicy,
      concurrency: undefined,
    }
  }
  const routes = [route('/admin/*', GUARD), route('/public/*', open)]
  proxy = await serve([siteOf(app.address, { action: open, routes })])
})

after(() => Promise.all([proxy.close(), app.close()]))

async function ask(target: string): Promise<string> {
  seen.length = 0
  const answer = await exchangeBytes(proxy.port, `GET ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  return answer.split('\r\n', 1)[0]!
}

test('there are at least a hundred spellings, each another one', () => {
  assert.ok(SPELLINGS.length >= 100, `${SPELLINGS.length}`)
  assert.equal(new Set(SPELLINGS).size, SPELLINGS.length)
})

for (const spelling of SPELLINGS)
  test(`${spelling} does not get round the protection of /admin/*`, async () => {
    const status = await ask(spelling)
    assert.match(status, / (?:403 Forbidden|400 Bad Request)$/)
    assert.deepEqual(seen, [])
  })

for (const [target, forwarded] of [
  ['/public/a', '/public/a'],
  ['//public//a', '/public/a'],
  ['/public/./a/../b?x=/../y', '/public/b?x=/../y'],
  ['/public/caf%c3%a9', '/public/caf%C3%A9'],
  ['/public/a%2fb', '/public/a%2Fb'],
  ['/public/a;v=1', '/public/a;v=1'],
  ['/public/a%20b%25', '/public/a%20b%25'],
  ['/other/a%2Fb?c%2fd', '/other/a%2Fb?c%2fd'],
  ['/admins', '/admins'],
  ['/adm', '/adm'],
  ['/public/https%3A%2F%2Fa.test%2Fb%3Fc%2520d', '/public/https%3A%2F%2Fa.test%2Fb%3Fc%2520d'],
  ['/caf%C3%A9./%E4%B8%AD%20', '/caf%C3%A9./%E4%B8%AD%20'],
  ['/things:cancel', '/things:cancel'],
  ['/other?/admin/users', '/other?/admin/users'],
] as const)
  test(`${target} reaches the application as ${forwarded}, which is what was matched`, async () => {
    const status = await ask(target)
    assert.match(status, / 200 OK$/)
    assert.deepEqual(seen, [forwarded])
  })

test('a path that is made to have readings without end is refused', async () => {
  assert.match(await ask(`/%${'25'.repeat(3000)}2fadmin`), / 400 /)
  assert.deepEqual(seen, [])
})

test('a path of thousands of segments is routed as any other', async () => {
  assert.match(await ask(`/public${'/x/..'.repeat(1500)}/admin/../../admin`), / 403 /)
  assert.match(await ask(`/public${'/.'.repeat(3500)}/b`), / 200 /)
  assert.deepEqual(seen, ['/public/b'])
})

test('a path that could be read as one of another route is refused, and the log says why', async () => {
  assert.match(await ask('/other/..;x/public'), / 400 /)
  assert.deepEqual(seen, [])
  assert.equal(proxy.accesses.at(-1)?.why, 'path-ambiguous')
})

test('where there are no routes, a target is forwarded as it came', async (t) => {
  const plain = await serve([siteOf(app.address)])
  t.after(() => plain.close())
  seen.length = 0
  await exchangeBytes(plain.port, 'GET //a/../b%2fc\\d HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
  assert.deepEqual(seen, ['//a/../b%2fc\\d'])
})
