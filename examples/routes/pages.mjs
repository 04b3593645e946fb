// The app for the pages: node pages.mjs [PORT]
import { createServer } from 'node:http'

const port = Number(process.argv[2] ?? 3001)

createServer((request, response) => {
  response.setHeader('X-Powered-By', 'node')
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`The pages were asked for ${request.url}\n${'A long page. '.repeat(200)}\n`)
}).listen(port, 'localhost', () => console.log(`The pages are at http://localhost:${port}`))
