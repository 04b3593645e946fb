/** What a worker may need of the environment. `*` stands for any end of a name. */
const PASSED = [
  // Where it is, and how it writes times and sorts words.
  'PATH',
  'HOME',
  'TMPDIR',
  'TZ',
  'TZDIR',
  'LANG',
  'LANGUAGE',
  'LC_*',
  // How Node and what it is made of run: an operator who sets them means the whole program.
  'NODE_ENV',
  'NODE_OPTIONS',
  'NODE_COMPILE_CACHE',
  'NODE_DISABLE_COMPILE_CACHE',
  'NODE_ICU_DATA',
  'NODE_NO_WARNINGS',
  'NODE_V8_COVERAGE',
  'UV_*',
  'LD_LIBRARY_PATH',
  'LD_PRELOAD',
  'DYLD_*',
  'GLIBC_TUNABLES',
  'MALLOC_*',
  // Which authorities vouch for upstreams, and what OpenSSL allows on this machine.
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_SYSTEM_CA',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'OPENSSL_CONF',
  'OPENSSL_MODULES',
  // How the system's resolver finds upstreams.
  'RES_OPTIONS',
  'LOCALDOMAIN',
  'HOSTALIASES',
] as const

/**
 * The supervisor's environment without what is no worker's business. It may hold the secrets that a config's `env:` names,
 * and those of whatever started the program; a worker reads what strangers send, and is told all it must know in messages.
 * What concerns the supervisor alone, as systemd's NOTIFY_SOCKET and LISTEN_FDS, stays there too: a worker's sockets have
 * numbers of their own.
 */
export function workerEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => isPassed(name)))
}

function isPassed(name: string): boolean {
  return PASSED.some((passed) => (passed.endsWith('*') ? name.startsWith(passed.slice(0, -1)) : name === passed))
}
