/**
 * So much is allocated for reading, and a collection of the young follows. Buffers lie outside of V8's heap and hardly fill
 * it, so that nothing sets off such a collection, and V8 counts them towards one of everything that lives, after some 30 to
 * 60 MB of them: a body of 100 MB took two or three, of 15 ms each, in steps that slow down all that runs between them. One
 * of the young takes 0.2 ms. With 8 MiB the limit of a small heap was still met.
 */
const MAX_GARBAGE_BYTES = 4 * 1024 * 1024

let allocated = 0

/**
 * Tells that so many bytes were allocated for what a connection has read, most of which will soon be garbage. Where there is
 * no collector to call (`--expose-gc`), V8 is left to itself.
 */
export function countReadBytes(bytes: number): void {
  allocated += bytes
  if (allocated < MAX_GARBAGE_BYTES) return
  allocated = 0
  globalThis.gc?.({ type: 'minor' })
}
