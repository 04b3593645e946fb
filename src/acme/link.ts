/** Nobody offers more; a CA that does is not followed further. */
const MAX_LINKS = 20

/** One link-value: `<target>` and its parameters, of which a quoted one may hold `,` and `;` (RFC 8288 §3). */
const LINK = /<([^<>]*)>((?:\s*;\s*[\w!#$%&'*+.^`|~-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",;]*))?)*)/g
const RELATION = /;\s*rel\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))/i

/**
 * The targets of a Link field (RFC 8288) that have this relation type, as absolute URLs and in their order, without
 * duplicates. What is malformed is passed over, as §3 has it for parameters: links are offers, and none must be taken.
 */
export function linksOf(field: string | undefined, relation: string, base: string): string[] {
  const targets = new Set<string>()
  for (const [, target = '', parameters = ''] of (field ?? '').matchAll(LINK)) {
    const [, quoted, token = ''] = RELATION.exec(parameters) ?? []
    const relations = (quoted ?? token).toLowerCase().split(/\s+/)
    if (relations.includes(relation)) targets.add(URL.parse(target, base)?.href ?? '')
  }
  targets.delete('')
  return [...targets].slice(0, MAX_LINKS)
}
