import { makePair } from './pem-pair.ts'
import { APP, type Case, GOOD, siteWith, testRefusals } from './refusal-cases.ts'

const TOP =
  'allowed: contact, acceptTerms, storage, workers, listen, fallback, limits, timeouts, issuers, defaults, sites, include, log, metrics, watch, notify'
const SOME_SITES = 'allowed: at least "sites:" with a name and the URL of its app'
const SYNTAX = 'check indentation, quotes and brackets here and on the line before'
const EXTERNAL = 'allowed: the secret, env:NAME for an environment variable, or file:PATH for a file that holds it'
const CERTIFICATE = 'allowed: a PEM file with -----BEGIN CERTIFICATE-----'
const KEY = 'allowed: a PEM file with -----BEGIN PRIVATE KEY-----, not encrypted'

const issuer = (settings: string): string =>
  `${GOOD}issuers:\n  corp:\n    directory: https://ca.example/\n    ${settings}\n`

const documents: Case[] = [
  [
    'no file',
    {},
    'castellan.yaml: cannot be read: there is no such file; allowed: a YAML file in UTF-8 that this user may read',
  ],
  [
    'a folder',
    { 'castellan.yaml/x': '' },
    'castellan.yaml: cannot be read: it is a folder, not a file; allowed: a YAML file in UTF-8 that this user may read',
  ],
  ['an empty file', '# nothing yet\n', `1:1: found an empty file; ${SOME_SITES}`],
  ['a list', '- a.example', `1:1: found a list; ${TOP.replace('allowed:', 'allowed: a mapping with')}`],
  [
    'a file that is not UTF-8',
    { 'castellan.yaml': Buffer.from('sites:\n  b\xfccher.example: x', 'latin1') },
    'castellan.yaml:2:4: cannot be read: it is not UTF-8 text; allowed: a YAML file in UTF-8 that this user may read',
  ],
  [
    'a file in UTF-16',
    { 'castellan.yaml': Buffer.from(GOOD, 'utf16le') },
    'castellan.yaml:1:2: cannot be read: it is not UTF-8 text; allowed: a YAML file in UTF-8 that this user may read',
  ],
  [
    'brackets that do not close',
    'sites: { a.example: x',
    `1:22: found what is not YAML: Flow map in block collection must be sufficiently indented and end with a }; ${SYNTAX}`,
  ],
  [
    'tabs',
    `sites:\n\ta.example: ${APP}`,
    `2:1: found what is not YAML: Tabs are not allowed as indentation; indent with spaces`,
  ],
  [
    'a second document',
    `${GOOD}---\nworkers: 2`,
    `2:1: found what is not YAML: a second document after ---; a config is one document: remove the line ---, or give the rest a file of its own`,
  ],
  [
    'an alias for nothing',
    'sites:\n  a.example: *app',
    '2:14: sites."a.example": found the alias *app; allowed: an anchor above it, &app',
  ],
  [
    'a variable that is not set',
    `sites:\n  a.example: http://\${APP_HOST}:3000`,
    `2:14: sites."a.example": found "http://\${APP_HOST}:3000", but the environment variable APP_HOST is not set; set it, or give a default: \${APP_HOST:-default}`,
  ],
  [
    'a variable without its end',
    `storage: "\${DATA"\nsites: { a.example: http://h }`,
    `1:10: storage: found "\${DATA", which has a \${ without its }; allowed: \${NAME}, \${NAME:-default}, and $\${ for a \${ that is meant`,
  ],
]

testRefusals(documents)

const [pair, other] = [await makePair('a.example'), await makePair('a.example')]
const pemKey = '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n'
const pemCertificate = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'
const ownFiles = siteWith('certificate:\n      files: [{ certificate: my.crt, key: my.key }]')

const otherFiles: Case[] = [
  [
    'a trust file that is not there',
    issuer('trust: root.pem'),
    `5:12: issuers.corp.trust: found "root.pem", but root.pem cannot be read: there is no such file; ${CERTIFICATE}`,
  ],
  [
    'certificate and key the wrong way round',
    { 'castellan.yaml': ownFiles, 'my.crt': pemKey, 'my.key': pemCertificate },
    `5:30: sites."a.example".certificate.files[0].certificate: found "my.crt", but my.crt holds a private key (are certificate and key swapped?); ${CERTIFICATE}`,
    `5:43: sites."a.example".certificate.files[0].key: found "my.key", but my.key holds a certificate (are certificate and key swapped?); ${KEY}`,
  ],
  [
    'the key of another certificate',
    { 'castellan.yaml': ownFiles, 'my.crt': pair.certificate, 'my.key': other.key },
    '5:43: sites."a.example".certificate.files[0].key: found "my.key", which is the key of another certificate; allowed: the private key of my.crt',
  ],
  [
    'a damaged certificate',
    { 'castellan.yaml': ownFiles, 'my.crt': pemCertificate, 'my.key': pair.key },
    '5:43: sites."a.example".certificate.files[0].key: found "my.key", which cannot be read together with its certificate: one of them is damaged; allowed: the private key of my.crt',
  ],
  [
    'files without PEM, and an encrypted key',
    {
      'castellan.yaml': ownFiles,
      'my.crt': 'hello',
      'my.key': '-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n-----END ENCRYPTED PRIVATE KEY-----\n',
    },
    `5:30: sites."a.example".certificate.files[0].certificate: found "my.crt", but my.crt holds no PEM certificate; ${CERTIFICATE}`,
    `5:43: sites."a.example".certificate.files[0].key: found "my.key", but my.key holds an encrypted key, which nobody is there to open; ${KEY}`,
  ],
  [
    'a secret whose variable is not set',
    issuer('externalAccount: { kid: a, hmacKey: env:EAB_KEY }'),
    '5:41: issuers.corp.externalAccount.hmacKey: found a value, but the environment variable EAB_KEY is not set; set it',
  ],
  [
    'a secret whose file is not there',
    issuer('externalAccount: { kid: a, hmacKey: file:eab }'),
    `5:41: issuers.corp.externalAccount.hmacKey: found a value, but eab cannot be read: there is no such file; ${EXTERNAL}`,
  ],
  [
    'a secret that decodes to nothing (RFC 8555 §7.3.4)',
    issuer('externalAccount: { kid: a, hmacKey: A }'),
    '5:41: issuers.corp.externalAccount.hmacKey: found a value, which is not base64url text; allowed: base64url, as the CA gave it',
  ],
  [
    'an included file that is not there',
    `${GOOD}include: [sites.d/*.yaml, more.yaml]`,
    '2:27: include[1]: found "more.yaml", but more.yaml cannot be read: there is no such file; allowed: a path or a glob of files that this user may read',
  ],
  [
    'an included file with more than sites',
    { 'castellan.yaml': `${GOOD}include: more.yaml`, 'more.yaml': 'sites: {}\nworkers: 2' },
    'more.yaml:2:1: workers: unknown key; allowed: sites',
  ],
  [
    'a site in two files',
    {
      'castellan.yaml': `${GOOD}include: d/*.yaml`,
      'd/1.yaml': `sites:\n  b.example: ${APP}`,
      'd/2.yaml': `sites:\n  b.example: ${APP}\n  a.example: ${APP}`,
    },
    'd/2.yaml:2:3: sites."b.example": found "b.example", but this name is taken already at d/1.yaml:2:3; give each name to one site, once',
    'd/2.yaml:3:3: sites."a.example": found "a.example", but this name is taken already at castellan.yaml:1:10; give each name to one site, once',
  ],
]

testRefusals(otherFiles)
