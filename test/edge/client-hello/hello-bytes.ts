/** Builds ClientHellos, right ones and wrong ones. */

export function vector8(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([content.length]), content])
}

export function vector16(content: Buffer): Buffer {
  return Buffer.concat([uint16(content.length), content])
}

export function uint16(...values: readonly number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [value >> 8, value & 255]))
}

export function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([uint16(type), vector16(content)])
}

export function serverName(name: string | Buffer, type = 0): Buffer {
  return extension(0, vector16(Buffer.concat([Buffer.from([type]), vector16(Buffer.from(name))])))
}

export function protocols(...names: readonly string[]): Buffer {
  return extension(16, vector16(Buffer.concat(names.map((name) => vector8(Buffer.from(name))))))
}

export type HelloParts = {
  version?: number
  sessionId?: Buffer
  suites?: readonly number[]
  compression?: Buffer
  /** undefined: no extensions at all, as TLS 1.2 allows. */
  extensions?: readonly Buffer[] | undefined
  trailing?: Buffer
}

/** The body of a ClientHello message. */
export function helloBody(parts: HelloParts = {}): Buffer {
  const {
    version = 0x0303,
    sessionId = Buffer.alloc(0),
    suites = [0x1301, 0xc02b],
    compression = Buffer.from([0]),
  } = parts
  return Buffer.concat([
    uint16(version),
    Buffer.alloc(32, 7),
    vector8(sessionId),
    vector16(uint16(...suites)),
    vector8(compression),
    parts.extensions === undefined && 'extensions' in parts
      ? Buffer.alloc(0)
      : vector16(Buffer.concat(parts.extensions ?? [])),
    parts.trailing ?? Buffer.alloc(0),
  ])
}

/** A handshake message: type, length in three bytes, body. */
export function message(body: Buffer, type = 1, length = body.length): Buffer {
  return Buffer.concat([Buffer.from([type, length >> 16, (length >> 8) & 255, length & 255]), body])
}

export function record(fragment: Buffer, type = 22, length = fragment.length): Buffer {
  return Buffer.concat([Buffer.from([type, 3, 1]), uint16(length), fragment])
}
