/** A command that takes no arguments: what is given all the same is a mistake, as it would be ignored. */
export async function withoutArguments(
  command: string,
  args: readonly string[],
  run: () => Promise<number>,
): Promise<number> {
  if (args.length === 0) return run()
  process.stderr.write(`castellan: "${command}" takes no arguments; usage: castellan ${command}\n`)
  return 2
}
