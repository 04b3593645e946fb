import { createServer } from 'node:http'

const { PORT = '3000', ASK_PORT = '3001' } = process.env

/** A database has these; whoever is in it has pointed a name at us, and pays. */
const customers = new Map([
  ['shop.customer.example', "The customer's shop"],
  ['blog.another.example', "Another customer's blog"],
])

const app = createServer((request, response) => {
  const name = request.headers.host?.split(':')[0] ?? ''
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${customers.get(name)}\n`)
})

/** What Castellan asks before a name gets a certificate. On a port of its own, which no visitor reaches. */
const permission = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost')
  response.statusCode = customers.has(searchParams.get('name') ?? '') ? 200 : 404
  response.end()
})

permission.listen(Number(ASK_PORT), 'localhost', () => {
  app.listen(Number(PORT), 'localhost', () => process.stdout.write(`The app answers at http://localhost:${PORT}\n`))
})
