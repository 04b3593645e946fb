import type { TicketSecrets } from '../edge/tls/ticket-keys.ts'
import { CastellanError } from '../errors.ts'
import { adoptListeningSocket, type ListeningSocket } from './listening-sockets.ts'
import { type FromSuccessor, TAKEOVER_VARIABLE, TAKEOVER_VERSION, type ToSuccessor } from './takeover.ts'
import type { UpstreamState } from './upstreams/upstream-watch.ts'

/** The program that serves speaks another version, or ended before it had handed over. */
export class HeritageError extends CastellanError {
  declare readonly code: 'heritage-unknown' | 'heritage-lost'
}

/** What a program has from the one that it takes over from. */
export type Heritage = {
  /** Bound, and with clients in their queues. */
  readonly sockets: readonly ListeningSocket[]
  readonly ticketSecrets: TicketSecrets
  /**
   * Says that all is ready but for the storage, and resolves when that is free, with what is known then; a former release
   * knows nothing of upstreams. Rejects with HeritageError.
   */
  claim(): Promise<{ readonly upstreams?: UpstreamState }>
  /** It serves, so that the other one can finish what it has. */
  serving(): void
  /** Why it does not come to that. */
  failed(message: string): Promise<void>
}

/** undefined for a program that takes over from nobody. Rejects with HeritageError. */
export async function receiveHeritage(environment: NodeJS.ProcessEnv): Promise<Heritage | undefined> {
  if (environment[TAKEOVER_VARIABLE] === undefined || process.send === undefined) return undefined
  delete environment[TAKEOVER_VARIABLE]
  const heritage = await hear('heritage')
  if (heritage.version !== TAKEOVER_VERSION) {
    const message = 'The program that serves hands over in another way than this release knows: restart it.'
    throw new HeritageError('heritage-unknown', message)
  }
  return {
    sockets: heritage.sockets.map(({ address, fd }) => adoptListeningSocket(address, fd)),
    ticketSecrets: heritage.ticketSecrets,
    claim: async () => {
      const yours = hear('yours')
      void say({ type: 'prepared' })
      return yours
    },
    serving: () => void say({ type: 'serving' }).then(() => process.disconnect?.()),
    failed: (message) => say({ type: 'failed', message }),
  }
}

/** What the other one says next, which is to be this. */
function hear<T extends ToSuccessor['type']>(type: T): Promise<Extract<ToSuccessor, { type: T }>> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new HeritageError('heritage-lost', 'The program that was to hand over has ended.'))
    process.once('disconnect', gone)
    process.once('message', (message: ToSuccessor) => {
      process.off('disconnect', gone)
      if (message.type === type) resolve(message as Extract<ToSuccessor, { type: T }>)
      else reject(new HeritageError('heritage-unknown', `The program that serves says "${message.type}" first.`))
    })
  })
}

/** Resolves once it is on its way, or the other one has gone. */
function say(message: FromSuccessor): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve()
    else process.send(message, () => resolve())
  })
}
