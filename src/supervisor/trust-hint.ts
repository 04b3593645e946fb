import { shellWord } from '../system/shell-word.ts'

/** How to make this machine trust a CA's certificate, in one command for each kind of system. */
const COMMANDS: Partial<Record<NodeJS.Platform, (path: string) => string>> = {
  linux: (path) =>
    `sudo install -m 644 ${shellWord(path)} /usr/local/share/ca-certificates/castellan.crt && sudo update-ca-certificates`,
  darwin: (path) =>
    `sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ${shellWord(path)}`,
  win32: (path) => `certutil -addstore -f ROOT "${path}"`,
}

/** What to tell somebody who has not met the internal CA yet: sentences. */
export function trustHint(path: string, origin: string, platform: NodeJS.Platform = process.platform): string[] {
  const command = COMMANDS[platform]?.(path)
  return [
    `Castellan's own CA signs what no public CA can. Its certificate is ${path}: who trusts it sees no warning.`,
    `To try it: curl --cacert ${shellWord(path)} ${origin}`,
    ...(command === undefined ? [] : [`To trust it on this machine: ${command}`]),
    'Firefox, and Chrome on Linux, have a store of their own: import it there, under "Certificates", as an authority.',
  ]
}
