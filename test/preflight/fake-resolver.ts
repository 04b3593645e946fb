import type { CaaRecord, NameResolver } from '../../src/preflight/name-resolver.ts'

/** Knows what it is told. A name that is not among the addresses has none; `'silent'` stands for no answer. */
export function fakeResolver(
  addresses: Readonly<Record<string, readonly string[] | 'silent'>>,
  caa: Readonly<Record<string, readonly CaaRecord[] | 'silent'>> = {},
): NameResolver & { readonly asked: string[] } {
  const asked: string[] = []
  const find = <T>(
    known: Readonly<Record<string, readonly T[] | 'silent'>>,
    name: string,
  ): readonly T[] | undefined => {
    const found = Object.hasOwn(known, name) ? known[name]! : []
    return found === 'silent' ? undefined : found
  }
  return {
    asked,
    async addresses(name) {
      asked.push(`addresses ${name}`)
      return find(addresses, name)
    },
    async caa(name) {
      asked.push(`caa ${name}`)
      return find(caa, name)
    },
  }
}
