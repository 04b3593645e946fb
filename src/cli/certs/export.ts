import { chmod } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { unpack } from '../../certificates/packed-certificate.ts'
import { readCertificate } from '../../certificates/record.ts'
import type { CertificateReport } from '../../certificates/report.ts'
import { CastellanError, describeError } from '../../errors.ts'
import { makePrivateFolder, writePrivateFile } from '../../storage/durable-file.ts'
import { FileReader } from '../../storage/file-reader.ts'
import { escapeControls } from '../../telemetry/line-log.ts'
import type { CertsArguments } from './arguments.ts'
import { printJson } from './json.ts'
import { look } from './looking.ts'

type ExportErrorCode = 'export-nothing' | 'export-unwritable'

class ExportError extends CastellanError {
  declare readonly code: ExportErrorCode
}

type Exported = { readonly id: string; readonly certificate: string; readonly key: string }

/**
 * `castellan certs export NAME --to FOLDER`: each certificate with its chain, and its key, as PEM files. They come from the
 * storage also where a program runs: no key ever goes over its socket.
 */
export async function exportFiles({ config, json, name, folder }: CertsArguments): Promise<number> {
  const { isRunning, storageFolder, reports } = await look(config, name)
  const storage = new FileReader(storageFolder)
  const files: Exported[] = []
  const missing: string[] = []
  for (const report of reports) {
    const exported = await exportOne(report, storage, resolve(folder))
    if (typeof exported === 'string') missing.push(exported)
    else files.push(exported)
  }
  if (files.length === 0) throw new ExportError('export-nothing', `Nothing was exported: ${missing.join('; ')}.`)
  for (const sentence of missing) process.stderr.write(`castellan: not exported: ${escapeControls(sentence)}.\n`)
  if (json) printJson({ running: isRunning, files })
  else for (const path of files.flatMap(({ certificate, key }) => [certificate, key])) print(path)
  return missing.length === 0 ? 0 : 1
}

function print(line: string): void {
  process.stdout.write(`${escapeControls(line)}\n`)
}

/** What is written, or why nothing is. */
async function exportOne(
  { id, step, held, fault }: CertificateReport,
  storage: FileReader,
  folder: string,
): Promise<Exported | string> {
  if (step.type === 'watch') return `${id} is your own, and its key is ${step.key}`
  const stored = fault === undefined ? await readCertificate(storage, id) : undefined
  if (stored === undefined) return fault ?? `there is no ${id} yet`
  if (held !== undefined && held.fingerprint !== stored.certificate.fingerprint)
    return `the program serves a newer ${id}, which it could not store yet`
  const path = join(folder, id.replace(/[^a-z0-9._@-]/g, '_'))
  const exported = { id, certificate: `${path}.crt`, key: `${path}.key` }
  try {
    await makePrivateFolder(folder)
    const { chain, privateKey } = unpack(stored.packed)
    await writePrivateFile(exported.key, Buffer.from(privateKey))
    await writePrivateFile(exported.certificate, Buffer.from(chain))
    await chmod(exported.certificate, CERTIFICATE_MODE)
  } catch (cause) {
    const message = `${path}.crt and .key cannot be written: ${describeError(cause)}.`
    throw new ExportError('export-unwritable', message, { folder }, { cause })
  }
  return exported
}

/** Everybody who connects is shown it. */
const CERTIFICATE_MODE = 0o644
