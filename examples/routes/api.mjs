// The app for /api: node api.mjs [PORT]
import { createServer } from 'node:http'

const port = Number(process.argv[2] ?? 3002)

createServer((request, response) => {
  const { method, url, headers } = request
  const seen = { method, url, prefix: headers['x-forwarded-prefix'], tenant: headers['x-tenant'] }
  response.setHeader('Content-Type', 'application/json')
  response.end(`${JSON.stringify(seen)}\n`)
}).listen(port, 'localhost', () => console.log(`The API is at http://localhost:${port}`))
