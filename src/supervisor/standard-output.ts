/**
 * Whoever reads the log may go away (a pipe to a program that ends); serving goes on without it. There is no other place in
 * which to say so.
 */
export function keepServingWithoutOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}
