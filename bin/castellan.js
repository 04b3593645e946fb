#!/usr/bin/env node
// Plain JavaScript that an old Node parses too, so that it can say in one sentence what it lacks.
import { existsSync, readFileSync } from 'node:fs'

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const required = Number(engines.node.replace(/\D+/, '').split('.')[0])

if (Number(process.versions.node.split('.')[0]) < required) {
  process.stderr.write(
    `castellan: this is Node ${process.versions.node}, and Castellan needs Node ${required} or newer; ` +
      'in a checkout, "npx castellan" and "npm start" use the one that "npm ci" brings.\n',
  )
  process.exitCode = 1
} else {
  // A package holds JavaScript in dist, since Node strips no types inside node_modules; a checkout runs its sources.
  const built = new URL('../dist/main.js', import.meta.url)
  const program = existsSync(built) ? built : new URL('../src/main.ts', import.meta.url)
  import(program.href)
    .then(({ main }) => main(process.argv.slice(2)))
    .then((exitCode) => {
      process.exitCode = exitCode
    })
}
