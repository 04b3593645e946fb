import { castellanVersion } from '../version.ts'

/** `castellan version` */
export async function version(): Promise<number> {
  process.stdout.write(
    `castellan ${castellanVersion} (node ${process.versions.node}, OpenSSL ${process.versions.openssl})\n`,
  )
  return 0
}
