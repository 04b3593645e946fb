import type { Balanced } from '../../../../src/edge/upstream/balance/chooser.ts'
import { Target } from '../../../../src/edge/upstream/balance/target.ts'
import type { UpstreamPool } from '../../../../src/edge/upstream/pool.ts'
import { peerOf } from '../../serve.ts'

/** Connections that nobody opens. */
export const noPool: UpstreamPool = { hasAnswered: false, lease: () => undefined, close: () => {} }

/** Targets with these weights: `http://10.0.0.1:80` and so on. */
export function targetsOf(...weights: number[]): Target[] {
  return weights.map((weight, index) => {
    const peer = peerOf({ scheme: 'http', host: `10.0.0.${index + 1}`, port: 80 })
    return new Target({ peer, weight, pool: noPool, maxUnderWay: undefined })
  })
}

/** A request with these fields. */
export function requestWith(fields: string[] = [], clientAddress = '192.0.2.1'): Balanced {
  return { fields, clientAddress, tried: [] }
}
