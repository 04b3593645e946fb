import type { Reading } from '../figures.ts'
import { h2load, loadWithH2load } from '../load/h2load.ts'
import { loadWithWrk, wrk } from '../load/wrk.ts'
import type { Extras } from '../peers/peer.ts'
import type { Server } from '../server.ts'
import { SITE_NAME } from '../site.ts'
import { cpuSecondsEach, type Scenario } from './scenario.ts'

type RequestScenario = { readonly name: string; readonly title: string; readonly connections: number }

type Http1Scenario = RequestScenario & {
  readonly path?: string
  readonly extras?: Extras
}

const common = { origin: 'static', siteNames: [SITE_NAME], fresh: false } as const

/** Requests one after another on each connection, over HTTP/1.1. */
export function http1Requests({ name, title, connections, path = '/', extras = {} }: Http1Scenario) {
  const measure = async (server: Server, seconds: number): Promise<Reading> => {
    const load = { url: `https://${SITE_NAME}:${server.port}${path}`, connections, seconds }
    return { cpu: 1e6 * (await cpuSecondsEach(server, () => loadWithWrk(load))) }
  }
  const metrics = [{ name: 'cpu', title, unit: 'µs' }]
  return { ...common, extras, name, metrics, protocol: 'http/1.1', tool: wrk, measure } satisfies Scenario
}

/** Requests over HTTP/2, `streams` of them at once on each connection. */
export function http2Requests({ name, title, connections, streams }: RequestScenario & { streams: number }) {
  const measure = async (server: Server, seconds: number): Promise<Reading> => {
    const load = { port: server.port, name: SITE_NAME, connections, streams, seconds }
    return { cpu: 1e6 * (await cpuSecondsEach(server, () => loadWithH2load(load))) }
  }
  const metrics = [{ name: 'cpu', title, unit: 'µs' }]
  return { ...common, name, metrics, protocol: 'h2', tool: h2load, measure } satisfies Scenario
}
