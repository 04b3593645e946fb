#!/usr/bin/env node
// CommonJS, as bin/package.json says, in words that Node 10 knows: a Node that is too old shall be able to say so.
const { engines } = require('../package.json')
const required = Number.parseInt(engines.node.replace(/^\D+/, ''), 10)

if (Number.parseInt(process.versions.node, 10) < required) {
  process.stderr.write(
    `castellan: this is Node ${process.versions.node}, and Castellan needs Node ${required} or newer; ` +
      'in a checkout, "npx castellan" and "npm start" use the one that "npm ci" brings.\n',
  )
  process.exitCode = 1
} else {
  const { existsSync } = require('node:fs')
  const { join } = require('node:path')
  const { pathToFileURL } = require('node:url')
  // A package holds JavaScript in dist, since Node strips no types inside node_modules; a checkout runs its sources.
  const built = join(__dirname, '../dist/main.js')
  const program = existsSync(built) ? built : join(__dirname, '../src/main.ts')
  import(pathToFileURL(program).href)
    .then(({ main }) => main(process.argv.slice(2)))
    .then((exitCode) => {
      process.exitCode = exitCode
    })
}
