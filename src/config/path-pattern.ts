import { normalizePath } from '../uri/path.ts'
import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const ALLOWED =
  'allowed: a path such as "/files/*" (that path and all below it), "/users/*/photo" (* is one segment), "/secret" or "/"'

/** RFC 3986 §3.3, in one spelling; `*` as a whole segment only. */
export const pathPatternFormat: TextFormat<string> = {
  allowed: ALLOWED,
  schema: { pattern: '^/', examples: ['/files/*'] },
  read: readPattern,
}

function readPattern(written: string): string | Refusal {
  if (!written.startsWith('/')) return new Refusal(ALLOWED, { fault: 'which does not begin with a slash' })
  if (/[?#]/.test(written)) return new Refusal(ALLOWED, { fault: 'but a route is chosen by the path alone' })
  if (!/^[\x21\x22\x24-\x3a\x3c-\x5b\x5d-\x7e]*$/.test(written))
    return new Refusal(ALLOWED, { fault: 'which has a character that no path has; write it as %XX' })
  if (written.split('/').some((segment) => segment.includes('*') && segment !== '*'))
    return new Refusal(ALLOWED, { fault: 'but * stands for a whole segment' })
  const normal = normalizePath(written)
  if (normal !== written)
    return new Refusal(ALLOWED, {
      fault: 'which no request has once it is normalized',
      hint: `did you mean ${JSON.stringify(normal)}?`,
    })
  return written
}

const PREFIX_ALLOWED = 'allowed: the path that is taken off the front, such as "/files"'

/** The front of a path: whole segments, without a slash at the end. */
export const pathPrefixFormat: TextFormat<string> = {
  allowed: PREFIX_ALLOWED,
  schema: { pattern: '^/.*[^/]$', examples: ['/files'] },
  read(written) {
    const prefix = written.endsWith('/') ? written.slice(0, -1) : written
    if (prefix === '' || prefix.includes('*')) return new Refusal(PREFIX_ALLOWED)
    return readPattern(prefix) instanceof Refusal ? new Refusal(PREFIX_ALLOWED) : prefix
  },
}
