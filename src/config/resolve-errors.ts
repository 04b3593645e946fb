import { basename, resolve } from 'node:path'
import type { Policy } from '../policy.ts'
import type { Spot } from './document.ts'
import type { ErrorsSettings } from './errors-schema.ts'
import type { Findings } from './findings.ts'
import type { PolicySettings } from './policy-schema.ts'
import { Refusal } from './problem.ts'

/** Every worker holds the text of each page, and a visitor in trouble should not have to wait for it. */
export const MAX_PAGE_BYTES = 64 * 1024

/** The same settings, whose error pages are absolute paths of files that can be read. `spot` is where they stand. */
export async function withReadPages<Settings extends PolicySettings>(
  settings: Settings,
  spot: Spot,
  findings: Findings,
): Promise<Settings> {
  const { errors } = settings
  return errors ? { ...settings, errors: await readPages(errors, spot.at('errors'), findings) } : settings
}

async function readPages(errors: ErrorsSettings, spot: Spot, findings: Findings): Promise<ErrorsSettings> {
  const { byStatus, otherwise } = errors
  const read: { status: number; page: string }[] = []
  for (const { status, page } of byStatus)
    read.push({ status, page: await readPage(page, spot.at(String(status)), findings) })
  return {
    ...errors,
    byStatus: read,
    otherwise: otherwise && (await readPage(otherwise, spot.at('default'), findings)),
  }
}

async function readPage(page: string, spot: Spot, findings: Findings): Promise<string> {
  const path = resolve(spot.document.folder, page)
  const file = await findings.files.read(path)
  const fault = 'fault' in file ? file.fault : sizeFault(file.text)
  if (fault !== undefined)
    findings.refuse(
      spot,
      new Refusal('allowed: the path of an HTML file', { fault: `but ${basename(path)}: ${fault}` }),
    )
  return path
}

function sizeFault(text: string): string | undefined {
  return Buffer.byteLength(text) > MAX_PAGE_BYTES ? `it is larger than ${MAX_PAGE_BYTES / 1024} KiB` : undefined
}

/** The texts of all pages that these policies name, by their paths. They have been read before. */
export async function pageTexts(
  policies: Iterable<Pick<Policy, 'errors'>>,
  { files }: Pick<Findings, 'files'>,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  for (const { errors } of policies) {
    if (errors === undefined) continue
    const { byStatus, otherwise } = errors
    for (const path of [...byStatus.map(({ page }) => page), ...(otherwise === undefined ? [] : [otherwise])]) {
      if (texts.has(path)) continue
      const file = await files.read(path)
      if ('text' in file) texts.set(path, file.text)
    }
  }
  return texts
}
