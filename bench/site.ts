import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ExtendedKeyUsage, id_ce_extKeyUsage, id_kp_serverAuth } from '@peculiar/asn1-x509'
import { commonName, extension, signCertificate } from '../src/pki/certificate-signing.ts'
import { exportPrivateKey, generateKey, type KeyPair } from '../src/pki/keys.ts'
import { subjectAlternativeName } from '../src/pki/subject-names.ts'
import { systemClock } from '../src/system/clock.ts'

/** A name, with paths of PEM files: ECDSA P-256, signed by itself. */
export type Site = {
  readonly name: string
  readonly certificate: string
  readonly key: string
  /** Both in one file, in a folder that holds nothing else: the way of HAProxy. */
  readonly bundle: string
}

/** The one that most scenarios ask for. Every load generator can find its address. */
export const SITE_NAME = 'localhost'

/** Names of many sites, all of one length. */
export function numberedNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `site-${String(index).padStart(6, '0')}.test`)
}

const DAY_MS = 24 * 60 * 60 * 1000

/** Makes the sites' files in a folder: they share one key, as making keys is not what is measured, and no file. */
export async function makeSites(folder: string, names: readonly string[]): Promise<Site[]> {
  const bundles = join(folder, 'bundles')
  await mkdir(bundles, { recursive: true })
  const pair = await generateKey('ecdsa-p256')
  const sites: Site[] = []
  for (const name of names) sites.push(await makeSite({ folder, bundles, name, pair }))
  return sites
}

type SiteFiles = { readonly folder: string; readonly bundles: string; readonly name: string; readonly pair: KeyPair }

async function makeSite({ folder, bundles, name, pair }: SiteFiles): Promise<Site> {
  const site = {
    name,
    certificate: join(folder, `${name}.crt`),
    key: join(folder, `${name}.key`),
    bundle: join(bundles, `${name}.pem`),
  }
  const certificate = await signCertificateFor(name, pair)
  const key = exportPrivateKey(pair.privateKey)
  await writeFile(site.certificate, certificate)
  await writeFile(site.key, key, { mode: 0o600 })
  await writeFile(site.bundle, certificate + key, { mode: 0o600 })
  return site
}

/** PEM: good for 30 days, and signed by its own key. */
export function signCertificateFor(name: string, { publicKey, privateKey }: KeyPair): Promise<string> {
  const now = systemClock.now()
  const content = {
    issuer: commonName(name),
    subject: commonName(name),
    publicKey,
    notBefore: now - DAY_MS,
    notAfter: now + 30 * DAY_MS,
    extensions: [
      subjectAlternativeName([name], { critical: false }),
      extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
    ],
  }
  return signCertificate(content, privateKey)
}
