import { nginxTool } from '../peers/nginx.ts'
import type { Place } from '../place.ts'
import { findTool, type Program } from '../program.ts'
import { startNginxOrigin } from './nginx.ts'
import { startOwnOrigin } from './own.ts'

export type OriginKind = 'static' | 'interactive'

/** What answers behind the proxies, on ports of 127.0.0.1. */
export type Origin = {
  readonly description: string
  /** `static` has `/`, 12 bytes, `/medium` and `/large`; `interactive` has `/sink` and `/echo`, too. */
  readonly ports: Readonly<Record<OriginKind, number>>
  stop(): Promise<void>
}

/** nginx where it is installed, as it costs the machine least; what it cannot do, and everything else, is our own. */
export async function startOrigin(place: Place): Promise<Origin> {
  const started: Program[] = []
  const stop = async (): Promise<void> => {
    for (const program of started) await program.stop()
  }
  try {
    const own = await startOwnOrigin(await place.folder('origin'))
    started.push(own.program)
    const path = findTool(nginxTool)
    const nginx = path === undefined ? undefined : await startNginxOrigin(path, await place.folder('origin'))
    if (nginx !== undefined) started.push(nginx.program)
    return {
      description: nginx === undefined ? 'node:http (nginx is absent)' : 'nginx; node:http for uploads and WebSockets',
      ports: { static: nginx?.port ?? own.port, interactive: own.port },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
