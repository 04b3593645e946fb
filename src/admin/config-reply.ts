/** A certificate that is to be ordered. */
export type ToOrder = {
  readonly id: string
  readonly names: readonly string[]
  readonly keyKind: string | undefined
  readonly issuers: readonly string[]
}

/** What another config changes, in names: values may be secrets. Plain JSON. */
export type ConfigChanges = {
  /** By the first of their names. */
  readonly sites: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
    readonly changed: readonly string[]
  }
  /** Scheme and address, as the config writes it. */
  readonly listeners: { readonly opened: readonly string[]; readonly closed: readonly string[] }
  readonly certificates: { readonly toOrder: readonly ToOrder[] }
  /** Keys of the config, such as `limits` or `listen.trustedProxies`. */
  readonly settings: readonly string[]
}

/** What became of the config as it is on the disk, or would. Problems and warnings are lines as `validate` prints them. */
export type ConfigReply =
  /** There are no problems where the config is good and something else is in the way, which is the reason then. */
  | { readonly status: 'refused'; readonly reason: string; readonly problems: readonly string[] }
  | { readonly status: 'well'; readonly changes: ConfigChanges; readonly warnings: readonly string[] }

/** What became of another program that was to take over. */
export type UpgradeReply =
  | { readonly status: 'failed'; readonly reason: string }
  /** It serves, as this process. */
  | { readonly status: 'well'; readonly pid: number }

/** What an operator asks of the program as a whole. None of them rejects. */
export type OperatorOrders = {
  /** Goes over to the config as it is on the disk. `file` is which that is, an absolute path. */
  readonly reload: (file: string) => Promise<ConfigReply>
  /** Says what that would change. */
  readonly foresee: (file: string) => Promise<ConfigReply>
  /** Starts the program as it is on the disk, and leaves all to it. */
  readonly upgrade: () => Promise<UpgradeReply>
}
