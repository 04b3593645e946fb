import type { Config } from './config.ts'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import type { NotifySettings } from './notify-schema.ts'
import { Refusal } from './problem.ts'
import { resolveTrust } from './resolve-issuers.ts'
import { readSecret } from './secret.ts'

type Target = Config['notify'][number]
type Key = keyof NotifySettings

const WEBHOOK_ALLOWED =
  'allowed: an https:// URL, such as "https://hooks.example.com/x"; http:// in a network of your own'

/** Keys that mean nothing without the first of them. */
const WEBHOOK_KEYS: readonly Key[] = ['webhook', 'secret']
const EMAIL_KEYS: readonly Key[] = ['email', 'smtp', 'user', 'password', 'from']

/** Where notices go, with secrets read. `spot` is the key `notify`. */
export async function resolveNotify(
  settings: readonly NotifySettings[],
  spot: Spot,
  findings: Findings,
): Promise<Target[]> {
  const targets: Target[] = []
  for (const [index, each] of settings.entries()) {
    const place = Array.isArray(spot.value) ? spot.item(index) : spot
    const refusal = combinationRefusal(each)
    if (refusal !== undefined) findings.refuse(place, refusal)
    else {
      const target =
        each.webhook === undefined ? await email(each, place, findings) : await webhook(each, place, findings)
      if (target !== undefined) targets.push(target)
    }
  }
  return targets
}

function combinationRefusal(settings: NotifySettings): Refusal | undefined {
  const given = (keys: readonly Key[]): Key[] => keys.filter((key) => settings[key] !== undefined)
  const [ofWebhook, ofEmail] = [given(WEBHOOK_KEYS), given(EMAIL_KEYS)]
  const refuse = (found: string, allowed: string): Refusal => new Refusal(allowed, { found: `found ${found}` })
  if (ofWebhook.length > 0 && ofEmail.length > 0)
    return refuse(`${ofWebhook[0]} and ${ofEmail[0]} together`, 'give each its own item of the list')
  if (ofEmail.length > 0) {
    if (settings.email === undefined) return refuse(`${ofEmail[0]} without email`, 'say who gets the mail: email')
    if (settings.smtp === undefined) return refuse('email without smtp', 'name the mail server: smtp://host:587')
    if (settings.user !== undefined && settings.password === undefined)
      return refuse('user without password', 'give the password, as env:NAME or file:PATH')
    if (settings.password !== undefined && settings.user === undefined)
      return refuse('password without user', 'name the user that it is of')
    return undefined
  }
  if (settings.webhook === undefined) return refuse('neither webhook nor email', 'give one of them')
  return undefined
}

async function webhook(settings: NotifySettings, spot: Spot, findings: Findings): Promise<Target | undefined> {
  const written = await secretAt(settings, 'webhook', spot, findings)
  const secret = await secretAt(settings, 'secret', spot, findings)
  const trust = await trustAt(settings, spot, findings)
  if (written === undefined) return undefined
  const url = URL.parse(written)
  if ((url?.protocol === 'https:' || url?.protocol === 'http:') && url.username === '' && url.password === '')
    return { type: 'webhook', url: url.href, secret, trust }
  const fault = url?.username || url?.password ? { fault: 'which has a user name or a password' } : {}
  findings.refuse(spot.at('webhook'), new Refusal(WEBHOOK_ALLOWED, fault))
  return undefined
}

async function email(settings: NotifySettings, spot: Spot, findings: Findings): Promise<Target | undefined> {
  const { email: to, smtp: server, user, from } = settings
  const password = await secretAt(settings, 'password', spot, findings)
  const trust = await trustAt(settings, spot, findings)
  if (to === undefined || server === undefined) return undefined
  const login = user === undefined || password === undefined ? undefined : { user, password }
  const sender = from ?? (user?.includes('@') ? user : to)
  return { type: 'email', to, from: sender, server, login, trust }
}

async function secretAt(
  settings: NotifySettings,
  key: 'webhook' | 'secret' | 'password',
  spot: Spot,
  findings: Findings,
): Promise<string | undefined> {
  const written = settings[key]
  if (written === undefined) return undefined
  const { env, files } = findings
  const secret = await readSecret(written, { env, files, folder: spot.document.folder })
  if (!(secret instanceof Refusal)) return secret
  findings.refuse(spot.at(key), secret)
  return undefined
}

function trustAt({ trust }: NotifySettings, spot: Spot, findings: Findings): Promise<string | undefined> {
  return trust === undefined ? Promise.resolve(undefined) : resolveTrust(trust, spot.at('trust'), findings)
}
