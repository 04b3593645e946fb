#!/usr/bin/env node
// CommonJS, as bin/package.json says, in words that Node 10 knows: a Node that is too old shall be able to say so.
const { dependencies } = require('../package.json')
// The package brings this Node along; what "engines" asks for is enough to install it.
const required = Number.parseInt(dependencies.node, 10)

if (Number.parseInt(process.versions.node, 10) < required) {
  process.stderr.write(
    `castellan: this is Node ${process.versions.node}, and Castellan needs Node ${required} or newer; ` +
      '"npx castellan" uses the one that npm has installed beside it, and in a checkout so does "npm start".\n',
  )
  process.exitCode = 1
} else {
  const { existsSync } = require('node:fs')
  const { join } = require('node:path')
  const { pathToFileURL } = require('node:url')
  // A checkout runs its sources, also when a package was built in it. The package itself has none, since Node strips no
  // types inside node_modules: it holds JavaScript in dist.
  const source = join(__dirname, '../src/main.ts')
  const program = existsSync(source) ? source : join(__dirname, '../dist/main.js')
  import(pathToFileURL(program).href)
    .then(({ main }) => main(process.argv.slice(2)))
    .then((exitCode) => {
      process.exitCode = exitCode
    })
}
