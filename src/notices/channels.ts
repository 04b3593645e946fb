import type { NotifyTarget } from '../config/config.ts'
import type { Clock } from '../system/clock.ts'
import type { Channel } from './channel.ts'
import { createEmail } from './email.ts'
import { createWebhook } from './webhook.ts'

/** A channel for each target. None of them talks to anybody before there is something to send. */
export function createChannels(targets: readonly NotifyTarget[], machine: string, clock: Clock): Channel[] {
  const names = new Map<string, number>()
  return targets.map((target) => {
    const plain = describeTarget(target)
    const count = (names.get(plain) ?? 0) + 1
    names.set(plain, count)
    const surroundings = { name: count === 1 ? plain : `${plain} (${count})`, machine, clock }
    return target.type === 'webhook'
      ? createWebhook({ ...target, ...surroundings })
      : createEmail({ ...target, ...surroundings })
  })
}

/** Without the path: in those of many chats it is the secret. */
function describeTarget(target: NotifyTarget): string {
  return target.type === 'webhook' ? `the webhook at ${new URL(target.url).host}` : target.to
}
