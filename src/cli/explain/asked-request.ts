import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { parseHost } from '../../edge/host.ts'
import { parseRequestTarget } from '../../edge/http1/request-target.ts'
import { commonOptions, mistakeOf } from '../config-argument.ts'

/** A request that nobody has sent. */
export type AskedRequest = {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** In lower case, IPv6 without brackets. */
  readonly host: string
  readonly port: number | undefined
  /** Path and query as written: a URL parser would mend the very spelling that is asked about. */
  readonly target: string
  /** Name, value, name, value. */
  readonly fields: readonly string[]
  /** What the client says in TLS; undefined where it says nothing, as to an IP address. */
  readonly serverName: string | undefined
  /** The client's address, where that matters. */
  readonly from: string | undefined
}

export type ExplainArguments = { readonly request: AskedRequest; readonly config: string; readonly json: boolean }

export const EXPLAIN_USAGE =
  "castellan explain METHOD URL [--header 'Name: value']... [--sni NAME] [--from ADDRESS] [--config FILE] [--json]"

/** Reads `METHOD URL` and the options of `castellan explain`, or says what is wrong with them. */
export function readExplainArguments(args: readonly string[]): ExplainArguments | { readonly mistake: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        ...commonOptions,
        sni: { type: 'string' },
        from: { type: 'string' },
        header: { type: 'string', short: 'H', multiple: true, default: [] },
      },
      allowPositionals: true,
    })
    const [method, url, ...more] = positionals
    if (method === undefined || url === undefined || more.length > 0)
      return { mistake: `"explain" takes a method and a URL, such as GET https://example.com/path` }
    const { config, json, sni, from, header } = values
    const asked = { method, url, sni, from, header }
    const request = readRequest(asked)
    return typeof request === 'string' ? { mistake: request } : { request, config, json }
  } catch (error) {
    return { mistake: mistakeOf(error) }
  }
}

type Given = {
  readonly method: string
  readonly url: string
  readonly sni: string | undefined
  readonly from: string | undefined
  readonly header: readonly string[]
}

/** The request, or what is wrong with it. */
function readRequest({ method, url, sni, from, header }: Given): AskedRequest | string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) return `${JSON.stringify(method)} is no method`
  if (from !== undefined && isIP(from) === 0) return `--from takes an IP address, and ${JSON.stringify(from)} is none`
  if (/^(?!https?:)[a-z][a-z0-9+.-]*:\/\//i.test(url)) return `${JSON.stringify(url)} is neither http:// nor https://`
  const [, scheme = 'https', authority = '', rest = ''] = /^(?:(https?):\/\/)?([^/?#]+)([^#]*)$/i.exec(url) ?? []
  const host = parseHost(authority)
  if (host === undefined) return `${JSON.stringify(url)} is no URL such as https://example.com/path`
  const named = sni === undefined ? host.name : parseHost(sni)?.name
  if (named === undefined) return `--sni takes a name, and ${JSON.stringify(sni)} is none`
  const fields: string[] = []
  for (const line of header) {
    const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):\s*(.*)$/.exec(line) ?? []
    if (name === undefined) return `--header takes 'Name: value', and not ${JSON.stringify(line)}`
    fields.push(name, value!.trimEnd())
  }
  try {
    const { target } = parseRequestTarget(rest.startsWith('/') ? rest : `/${rest}`, method)
    const isSecure = scheme.toLowerCase() === 'https'
    return {
      method,
      scheme: isSecure ? 'https' : 'http',
      host: host.name,
      port: host.port,
      target,
      fields,
      // RFC 6066 §3: an address is no server name.
      serverName: isSecure && isIP(named) === 0 ? named : undefined,
      from,
    }
  } catch {
    return method === 'CONNECT'
      ? 'CONNECT is refused with 405'
      : `${JSON.stringify(rest)} is no path: such a request is refused with 400`
  }
}
