/** What the frontends must say while a CA validates a name. */
export type ChallengeAnswer =
  /** RFC 8555 §8.3: `GET /.well-known/acme-challenge/<token>` on port 80 answers the key authorization. */
  | { readonly type: 'http-01'; readonly name: string; readonly token: string; readonly keyAuthorization: string }
  /** RFC 8737 §3: a handshake for `serverName` with ALPN `acme-tls/1` gets this certificate. PEM. */
  | {
      readonly type: 'tls-alpn-01'
      readonly name: string
      readonly serverName: string
      readonly certificate: string
      readonly privateKey: string
    }

/** Gives answers to every frontend and takes them away again. */
export interface ChallengePublisher {
  /**
   * Resolves when every frontend answers, so that validation from several vantage points sees the same thing. One that
   * hangs is not waited for for long.
   */
  publish(answer: ChallengeAnswer): Promise<void>
  /** Resolves when no frontend answers any more. */
  withdraw(answer: ChallengeAnswer): Promise<void>
}
