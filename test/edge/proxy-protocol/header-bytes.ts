/** Builds PROXY protocol headers of version 2. */

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** From 192.0.2.1 port 4711 to 198.51.100.2 port 443. */
export const TCP4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x67, 0x01, 0xbb])

export function header2(command: number, family: number, content: Buffer): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, content.length >> 8, content.length & 255]), content])
}

export function tcp4(values = Buffer.alloc(0)): Buffer {
  return header2(0x21, 0x11, Buffer.concat([TCP4, values]))
}

/** `source` in hex; the destination is ::1, port 443. */
export function tcp6(source: string): Buffer {
  const loopback = Buffer.from('00000000000000000000000000000001', 'hex')
  return header2(
    0x21,
    0x21,
    Buffer.concat([Buffer.from(source, 'hex'), loopback, Buffer.from([0x12, 0x67, 0x01, 0xbb])]),
  )
}
