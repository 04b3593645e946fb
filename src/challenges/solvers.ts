import { http01 } from './http-01.ts'
import type { ChallengeType, Solver } from './solver.ts'
import { tlsAlpn01 } from './tls-alpn-01.ts'

/** How each challenge type that Castellan knows is answered. */
export const solvers = { 'http-01': http01, 'tls-alpn-01': tlsAlpn01 } satisfies Record<ChallengeType, Solver>
