import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { CastellanError } from '../errors.ts'

/** What an operator names as a PEM file is none that can be read (`facts.path`). */
export class OwnFileError extends CastellanError {
  declare readonly code: 'own-file-unreadable'
}

/** A chain may have 64 KiB and a key 16; this leaves room for what tools write around them. */
const MAX_FILE_BYTES = 1024 * 1024

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const KEY_BLOCK = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[^-]*-----END (?:[A-Z]+ )?PRIVATE KEY-----/g

/** The certificates in a PEM file, one a text: tools write what they say between the blocks, and a bundle may have the key. */
export function certificateBlocks(pem: string): string[] {
  return pem.match(CERTIFICATE_BLOCK) ?? []
}

/** The private keys in a PEM file, those without a password. */
export function keyBlocks(pem: string): string[] {
  return pem.match(KEY_BLOCK) ?? []
}

/**
 * The text of a file, whatever has been put in its place since the config was read. Synchronously: it takes 5 us, and with
 * promises 45, which the start with thousands of sites consists of otherwise; later, only files that have changed are read.
 */
export function readPemFile(path: string): string {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(file)
    if (stats.isFile() && stats.size <= MAX_FILE_BYTES) return readFileSync(file, 'latin1')
    const message = `${path} is not a file of at most ${MAX_FILE_BYTES / 1024 / 1024} MiB.`
    throw new OwnFileError('own-file-unreadable', message, { path })
  } finally {
    closeSync(file)
  }
}
