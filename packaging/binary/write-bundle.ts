import { join } from 'node:path'
import { bundle } from './bundle.ts'

// What `npm run build:bundle` runs: all of Castellan in one script, for tools that pack scripts.

await bundle(join(import.meta.dirname, '../../dist/castellan.cjs'))
