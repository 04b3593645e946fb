/** `error`: clients suffer, or there is nothing that keeps them from it; `warning`: they will, unless something is done. */
export type Severity = 'warning' | 'error'

export type TroubleKind =
  | 'certificate-failed'
  | 'certificate-paused'
  | 'certificate-revoked'
  | 'own-file-unusable'
  | 'own-file-ending'
  | 'own-file-lacks-names'
  | 'staple-missing'
  | 'storage-unwritable'
  | 'clock-wrong'
  | 'terms-not-accepted'
  | 'issuer-refuses'
  | 'issuer-out-of-order'
  | 'renewals-limited'

/** Something that a person must act on, as it stands. Plain JSON without secrets; times in ms since 1970. */
export type Trouble = {
  readonly kind: TroubleKind
  readonly severity: Severity
  /** The names that are served, or should be. */
  readonly names: readonly string[]
  /** What it is about, where that is no name: a file, a folder, an issuer. */
  readonly subject?: string | undefined
  /** What is wrong, in the words of whoever said so: the CA, a responder, the system. */
  readonly said: string
  /** The code of the error or the type of the CA's problem, from which it follows what a person can do. */
  readonly cause?: string | undefined
  /** Whom certificates are asked of, as the config calls them. */
  readonly issuers?: readonly string[] | undefined
  readonly site?: string | undefined
  /** When Castellan tries again. */
  readonly nextAt?: number | undefined
  /** Where a person must go before Castellan tries again. */
  readonly unpauseUrl?: string | undefined
  /** When what serves meanwhile ends, or has ended. */
  readonly expiresAt?: number | undefined
}

/** Why something is told: it is new, worse, as bad as before with less time left, or over. */
export type NoticeState = 'raised' | 'worse' | 'reminder' | 'over' | 'test'

/** What is told of a trouble, once. Sentences, but for the title. */
export type Notice = {
  /** Of the thing that it is about: equal in all notices of it. */
  readonly id: string
  readonly state: NoticeState
  readonly kind: TroubleKind | 'test'
  readonly severity: Severity
  readonly at: number
  /** When the first notice of it was. */
  readonly since: number
  readonly names: readonly string[]
  readonly title: string
  readonly said: string
  /** What was seen when Castellan looked for itself. */
  readonly seen: readonly string[]
  /** What it will do, and when. */
  readonly next: string
  /** What the person can do. */
  readonly remedy: string
  readonly expiresAt: number | undefined
}
