/** TCP ports (RFC 9293 §3.1). 0 asks the system for any port, which nobody could then find. */
const MAX_PORT = 65_535

/** A port from its decimal digits; undefined if it is none. */
export function parsePort(digits: string): number | undefined {
  if (!/^\d{1,5}$/.test(digits)) return undefined
  const port = Number(digits)
  return port >= 1 && port <= MAX_PORT ? port : undefined
}

export const PORT_FAULT = `whose port is not from 1 to ${MAX_PORT}`
