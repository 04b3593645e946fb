import { resolve } from 'node:path'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { Refusal } from './problem.ts'

/** `sun_path` of unix(7) without its final NUL: Node would cut a longer path short in silence. */
export const MAX_SOCKET_PATH_BYTES = 107

/** The absolute path of a Unix socket that is named at a spot. */
export function absoluteSocket(path: string, spot: Spot, findings: Findings): string {
  const absolute = resolve(spot.document.folder, path)
  if (Buffer.byteLength(absolute) > MAX_SOCKET_PATH_BYTES) {
    const fault = `whose absolute path is longer than ${MAX_SOCKET_PATH_BYTES} bytes`
    findings.refuse(spot, new Refusal('allowed: a shorter path', { fault }))
  }
  return absolute
}
