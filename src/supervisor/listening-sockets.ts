import { lookup } from 'node:dns/promises'
import { chmodSync, fstatSync, lstatSync, unlinkSync } from 'node:fs'
import net, { type NetConnectOpts } from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { ListenAddress } from '../config/listen-address.ts'
import { CastellanError, errorCode } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import { shellWord } from '../system/shell-word.ts'

/** A socket that is bound and not yet listening: each worker inherits it and listens on it. */
export type ListeningSocket = {
  readonly address: ListenAddress
  readonly fd: number
  /** How one reaches it from this machine, best first; empty where that is not known. */
  readonly reachedAt: readonly NetConnectOpts[]
  close(): void
}

export type BindErrorCode = 'address-in-use' | 'address-not-permitted' | 'address-not-usable'

/** An address could not be bound. The message is one sentence with the ways out. */
export class BindError extends CastellanError {
  declare readonly code: BindErrorCode
}

/**
 * What node:cluster itself binds with. node:net has no public way to bind a socket without also accepting on it in this
 * process, and only the supervisor lives long enough to keep a port without a gap while workers come and go.
 */
type BoundHandle = { readonly fd: number; close(): void; getsockname?(out: object): number }
type CreateServerHandle = (
  address: string,
  port: number,
  addressType: 4 | 6 | -1,
  fd: number,
  flags: number,
) => BoundHandle | number
const createServerHandle = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle

/** The workers of a program that was just killed need a moment to notice and to let go of their ports. */
const IN_USE_RETRIES = 20
const IN_USE_RETRY_MS = 100

export type BindOptions = {
  readonly signal?: AbortSignal | undefined
  /** Of a Unix socket's file: who may connect. As the umask has it unless given. */
  readonly socketMode?: number
}

/** Binds an address for the workers to inherit. Throws BindError, or the signal's reason. */
export async function bindListeningSocket(
  address: ListenAddress,
  clock: Clock,
  { signal, socketMode }: BindOptions = {},
): Promise<ListeningSocket> {
  if (address.type === 'fd') return inherited(address)
  for (let retriesLeft = IN_USE_RETRIES; ; retriesLeft--) {
    const bound =
      address.type === 'unix' ? await bindPath(address.path, socketMode) : await bindPort(address.host, address.port)
    if (typeof bound !== 'string') {
      const reachedAt = address.type === 'unix' ? [{ path: address.path }] : reachedFrom(bound)
      return { address, fd: bound.fd, reachedAt, close: () => closeSocket(bound, address) }
    }
    if (bound !== 'EADDRINUSE' || retriesLeft === 0) throw bindError(address, bound)
    await clock.sleep(IN_USE_RETRY_MS, signal)
  }
}

async function bindPort(host: string | undefined, port: number): Promise<BoundHandle | string> {
  if (host !== undefined) return bindHost(host, port)
  const both = bind('::', port, 6)
  // A machine without IPv6.
  return both === 'EAFNOSUPPORT' || both === 'EADDRNOTAVAIL' || both === 'EINVAL' ? bind('0.0.0.0', port, 4) : both
}

async function bindHost(host: string, port: number): Promise<BoundHandle | string> {
  try {
    const { address, family } = await lookup(host)
    return bind(address, port, family === 6 ? 6 : 4)
  } catch (error) {
    return errorCode(error) ?? 'ENOTFOUND'
  }
}

/** The handle, or the name of the system's error. */
function bind(address: string, port: number, addressType: 4 | 6 | -1): BoundHandle | string {
  const handle = createServerHandle(address, port, addressType, -1, 0)
  if (typeof handle === 'number') return getSystemErrorName(handle)
  // libuv keeps EADDRINUSE back until somebody listens; asking for the name brings it out.
  const error = addressType === -1 ? 0 : (handle.getsockname?.({}) ?? 0)
  if (error === 0) return handle
  handle.close()
  return getSystemErrorName(error)
}

/** A socket that whoever started this program left open for it. */
function inherited(address: Extract<ListenAddress, { type: 'fd' }>): ListeningSocket {
  const { fd } = address
  if (isOpenSocket(fd))
    return { address, fd, reachedAt: reachedFrom(createServerHandle('', 0, -1, fd, 0)), close: () => {} }
  const message =
    `fd:${fd} is not a socket: "listen" names a descriptor that whoever starts Castellan must have opened, as systemd does ` +
    'for a .socket unit, from 3 on. Start it that way, or listen on an address, such as ":443".'
  throw new BindError('address-not-usable', message, { fd })
}

/** A socket that another program has bound as it was told by its config, and now leaves to this one. */
export function adoptListeningSocket(address: ListenAddress, fd: number): ListeningSocket {
  if (address.type === 'fd') return { ...inherited({ type: 'fd', fd }), address }
  const handle = createServerHandle('', 0, -1, fd, 0)
  if (typeof handle === 'number') throw bindError(address, getSystemErrorName(handle))
  const reachedAt = address.type === 'unix' ? [{ path: address.path }] : reachedFrom(handle)
  return { address, fd, reachedAt, close: () => closeSocket(handle, address) }
}

type SocketName = { readonly address?: string; readonly port?: number }

/** By what the system says that it is bound to. Who listens on every address is reached over the loopback. */
function reachedFrom(handle: BoundHandle | number): NetConnectOpts[] {
  const name: SocketName = {}
  if (typeof handle === 'number' || handle.getsockname?.(name) !== 0) return []
  const { address: host, port } = name
  if (host === undefined || port === undefined) return []
  if (host === '0.0.0.0') return [{ host: '127.0.0.1', port }]
  // Both families, unless the system has it otherwise.
  return host === '::'
    ? [
        { host: '127.0.0.1', port },
        { host: '::1', port },
      ]
    : [{ host, port }]
}

function isOpenSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

/** A socket file outlives its program: one that nobody listens on is removed. Whatever else stands there is not ours. */
async function bindPath(path: string, mode: number | undefined): Promise<BoundHandle | string> {
  const bound = bindWithMode(path, mode)
  if (bound !== 'EADDRINUSE') return bound
  if (!isSocketFile(path)) return 'EEXIST'
  const answer = await knock(path)
  // EAGAIN: somebody listens, and has no room for one more.
  if (answer === 'answered' || answer === 'EAGAIN') return 'EADDRINUSE'
  if (answer !== 'ECONNREFUSED') return answer
  return removeFile(path) ?? bindWithMode(path, mode)
}

/** Until somebody listens, nobody can connect, whatever the mode is between the two calls. */
function bindWithMode(path: string, mode: number | undefined): BoundHandle | string {
  const bound = bind(path, -1, -1)
  if (typeof bound === 'string' || mode === undefined) return bound
  try {
    chmodSync(path, mode)
    return bound
  } catch (error) {
    // That removes the file, too.
    bound.close()
    return errorCode(error) ?? 'EIO'
  }
}

function isSocketFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
}

/** The name of the system's error if it could not be removed. */
function removeFile(path: string): string | undefined {
  try {
    unlinkSync(path)
    return undefined
  } catch (error) {
    return errorCode(error) ?? 'EIO'
  }
}

/** Whether somebody listens on a socket file, or else the name of the system's error. */
function knock(path: string): Promise<string> {
  return new Promise((resolve) => {
    const probe = net.connect(path, () => {
      probe.destroy()
      resolve('answered')
    })
    probe.once('error', (error) => resolve(errorCode(error) ?? 'EIO'))
  })
}

function closeSocket(handle: BoundHandle, address: ListenAddress): void {
  handle.close()
  if (address.type === 'unix' && isSocketFile(address.path)) removeFile(address.path)
}

/** Puts the system's error into one sentence that says what can be done about it. */
export function bindError(address: Exclude<ListenAddress, { type: 'fd' }>, cause: string): BindError {
  return address.type === 'unix' ? pathError(address.path, cause) : portError(address, cause)
}

function pathError(path: string, cause: string): BindError {
  const facts = { path, cause }
  if (cause === 'EADDRINUSE')
    return new BindError(
      'address-in-use',
      `Another program is listening on unix:${path}; stop it, or choose another path under "listen".`,
      facts,
    )
  if (cause === 'EEXIST')
    return new BindError(
      'address-in-use',
      `${path} is there already and is not a socket, so it is left as it is; choose another path under "listen".`,
      facts,
    )
  return new BindError(
    'address-not-usable',
    `Castellan cannot listen on unix:${path} (${cause}); ${ADVICE[cause] ?? 'choose a path under "listen" in a folder that exists and that this user may write to'}.`,
    facts,
  )
}

const TOO_MANY_FILES = 'too many files are open: raise the limit ("ulimit -n", or LimitNOFILE= for systemd)'

/** What is no fault of the address. */
const ADVICE: Readonly<Record<string, string>> = { EMFILE: TOO_MANY_FILES, ENFILE: TOO_MANY_FILES }

function portError({ port, host }: Extract<ListenAddress, { type: 'tcp' }>, cause: string): BindError {
  const facts = { port, host, cause }
  if (cause === 'EADDRINUSE')
    return new BindError(
      'address-in-use',
      `Port ${port} is in use by another program; stop that one ("ss -ltnp sport = :${port}" names it), or choose another port under "listen".`,
      facts,
    )
  if (cause === 'EACCES' || cause === 'EPERM')
    return new BindError(
      'address-not-permitted',
      `Port ${port} needs a privilege that this user does not have; give it to the program with "sudo setcap cap_net_bind_service=+ep ${shellWord(process.execPath)}", let systemd start it with AmbientCapabilities=CAP_NET_BIND_SERVICE or pass the socket as "fd:3", or choose a port from 1024 up, such as ":8443", under "listen".`,
      facts,
    )
  return new BindError(
    'address-not-usable',
    `Castellan cannot listen on ${host ?? 'all addresses'}, port ${port} (${cause}); ${ADVICE[cause] ?? '"listen" takes an address of this machine'}.`,
    facts,
  )
}
