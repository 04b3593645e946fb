import type { Guards } from './guards.ts'

/**
 * What a site or a route does to requests and responses besides answering them, as plain data: the config gives it, and it
 * crosses the boundary to the processes that serve. A request pays only for what is not undefined.
 */
export type Policy = {
  /** Bytes that the content of a request may have; undefined for any number. */
  readonly maxBodyBytes: number | undefined
  readonly headers:
    | { readonly request: FieldChanges | undefined; readonly response: FieldChanges | undefined }
    | undefined
  /** undefined where anybody is served. */
  readonly guards: Guards | undefined
  readonly errors?: ErrorsPolicy | undefined
  readonly maintenance?: MaintenancePolicy | undefined
  readonly compress?: CompressPolicy | undefined
}

/** Names, and names and values in turn, as they are to be written. */
export type FieldChanges = {
  readonly remove: readonly string[]
  readonly set: readonly string[]
  readonly add: readonly string[]
}

/** The pages for errors: texts that the config and the workers hold once each, by these keys. */
export type ErrorsPolicy = {
  readonly byStatus: readonly { readonly status: number; readonly page: string }[]
  /** For all others. */
  readonly otherwise: string | undefined
  /** Statuses of the application that are answered so as well. */
  readonly intercept: readonly number[]
}

/** Whether a site is closed to all, and to whom it is not, closed by this or by command. */
export type MaintenancePolicy = {
  readonly isActive: boolean
  /** Networks, and `unix`. */
  readonly allow: readonly string[]
  readonly retryAfterSeconds: number
}

/** Which responses are compressed, and how. */
export type CompressPolicy = {
  /** In order of preference. */
  readonly encodings: readonly ('zstd' | 'br' | 'gzip')[]
  readonly minBytes: number
  /** Media types in lower case; `*` stands for anything within a part. */
  readonly types: readonly string[]
}
