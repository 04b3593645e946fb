import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** For a test's `skip`: false if the program is on PATH, else why the test is skipped. */
export function missing(program: string): false | string {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.some((folder) => isExecutable(join(folder, program))) ? false : `needs the program ${program}`
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
