import { Agent, get as httpGet, type IncomingMessage } from 'node:http'
import type { TestContext } from 'node:test'
import type { RunningEdge } from '../adversary/running-edge.ts'

/** Asks by node:http, on a connection of its own or of the agent's. */
function ask(port: number, path: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpGet({ port, host: '127.0.0.1', path, headers: { host: 'a.test' }, agent })
    request.on('response', (response: IncomingMessage) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    request.on('error', reject)
  })
}

/** What 600 requests were answered with, while the upstream closes its connections after 30 ms, or after a few requests. */
export async function askWhileClosing(t: TestContext, edge: RunningEdge, path: string): Promise<[number, number][]> {
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const statuses = new Map<number, number>()
  const client = async (offset: number): Promise<void> => {
    for (let count = 0; count < 60; count++) {
      const status = await ask(edge.ports.http, path, agent)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      // So that requests meet connections that are about to be closed, are being closed, and have just been.
      await new Promise((resolve) => setTimeout(resolve, 24 + ((offset + count) % 12)))
    }
  }
  await Promise.all(Array.from({ length: 10 }, (_, offset) => client(offset)))
  return [...statuses]
}
