import { main } from '../../src/main.ts'

// Where the single executable begins. Its arguments stand where they do for a script.

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode
})
