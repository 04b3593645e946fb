/**
 * What is written at a time, at most: two full records of TLS. A peer that takes less in a stall's time counts as stalled,
 * and what is written cannot be overtaken by something more urgent.
 */
export const MAX_BATCH_BYTES = 32 * 1024

/** A batch of content, and some frames without content that join it. */
export const BATCH_ROOM_BYTES = MAX_BATCH_BYTES + 1024

/** As many connections write within one turn of a busy event loop. The others' rooms are left to the collector. */
const MAX_FREE_ROOMS = 16

const free: Buffer[] = []

/**
 * Room for a batch, used again and again by whoever writes one: memory outside of the heap makes the collector work, and
 * a new room for each batch was a third of what a download took.
 */
export function takeRoom(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(BATCH_ROOM_BYTES)
}

/** Whether it is such a room, or a part of one. */
export function isOfRoom({ buffer }: Buffer): boolean {
  return buffer.byteLength === BATCH_ROOM_BYTES
}

/** Takes back a room, or the part of one, that nobody reads any more. Other buffers are nobody's concern. */
export function giveRoomBack(part: Buffer): void {
  const { buffer } = part
  if (isOfRoom(part) && free.length < MAX_FREE_ROOMS) free.push(Buffer.from(buffer))
}
