/** What an examination has found of one thing. */
export type Finding = {
  /** What kind of thing was looked at. */
  readonly check:
    | 'config'
    | 'storage'
    | 'clock'
    | 'ports'
    | 'ca'
    | 'name'
    | 'caa'
    | 'port 80'
    | 'certificate'
    | 'served'
    | 'limits'
    | 'notices'
    | 'on demand'
  /** Which of them: a name, an address, an issuer. */
  readonly subject: string
  /** `warn`: it may be well all the same, or is not well yet. */
  readonly level: 'ok' | 'warn' | 'fail'
  /** In words. */
  readonly seen: string
  /** What a person can do, as a sentence. */
  readonly advice?: string | undefined
}

/** The worst that was found; `ok` where nothing was. */
export function worst(findings: readonly Finding[]): Finding['level'] {
  if (findings.some(({ level }) => level === 'fail')) return 'fail'
  return findings.some(({ level }) => level === 'warn') ? 'warn' : 'ok'
}
