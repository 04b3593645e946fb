/** How to make this machine trust a CA's certificate, in one command for each kind of system. */
const COMMANDS: Partial<Record<NodeJS.Platform, (path: string) => string>> = {
  linux: (path) => `sudo cp ${path} /usr/local/share/ca-certificates/castellan.crt && sudo update-ca-certificates`,
  darwin: (path) => `sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ${path}`,
  win32: (path) => `certutil -addstore -f ROOT ${path}`,
}

/** What to tell somebody who has not met the internal CA yet. */
export function trustHint(path: string, origin: string, platform: NodeJS.Platform = process.platform): string {
  const command = COMMANDS[platform]?.(path)
  const system = command === undefined ? '' : ` For this machine: ${command}.`
  return (
    `Castellan's own CA signs what no public CA can. Its certificate is ${path}: ` +
    `a client that trusts it sees no warning. To try: curl --cacert ${path} ${origin}.${system}` +
    ' For a browser with a store of its own (Firefox; Chrome on Linux): import it in its settings, under "Certificates", as an authority for websites.'
  )
}
