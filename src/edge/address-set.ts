import { BlockList, isIPv6 } from 'node:net'

/** Stands for peers on Unix sockets, who have no address. */
const UNIX = 'unix'

/** Networks whose peers are believed: `10.0.0.0/8`, `::1`, and `unix` for who connects to a Unix socket. */
export class AddressSet {
  readonly #networks = new BlockList()
  readonly #hasUnix: boolean
  readonly isEmpty: boolean

  constructor(networks: readonly string[]) {
    this.isEmpty = networks.length === 0
    this.#hasUnix = networks.includes(UNIX)
    for (const network of networks) if (network !== UNIX) this.#add(network)
  }

  /** `address` as plainAddress gives it: empty for a peer on a Unix socket. */
  has(address: string): boolean {
    if (this.isEmpty) return false
    return address === '' ? this.#hasUnix : this.#networks.check(address, familyOf(address))
  }

  #add(network: string): void {
    const [address = '', length] = network.split('/')
    if (length === undefined) this.#networks.addAddress(address, familyOf(address))
    else this.#networks.addSubnet(address, Number(length), familyOf(address))
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
