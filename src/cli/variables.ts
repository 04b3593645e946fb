import { formatVariables } from '../config/environment-page.ts'

/** `castellan variables`: what the environment can say in place of a config file. */
export async function variables(): Promise<number> {
  process.stdout.write(formatVariables())
  return 0
}
