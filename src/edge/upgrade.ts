/** RFC 9110 §5.6.2, §7.8. */
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const PROTOCOL = `${TOKEN}(?:/${TOKEN})?`
const PROTOCOLS = new RegExp(`^${PROTOCOL}(?:[ \\t]*,[ \\t]*${PROTOCOL})*$`)

/** Versions of HTTP, and TLS, in which HTTP would go on (RFC 2817). */
const HTTP_AGAIN = /(?:^|[\t ,])(?:h2c?|http|tls)(?:[\t ,/]|$)/i

/**
 * Whether these protocols, of an Upgrade field or of `:protocol`, may be asked of an upstream: any but HTTP, as nobody here
 * would see what requests follow, and nothing that another recipient could read otherwise.
 */
export function leavesHttp(offered: string): boolean {
  return PROTOCOLS.test(offered) && !HTTP_AGAIN.test(offered)
}
