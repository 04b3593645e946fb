import { createServer } from 'node:http'

const { PORT = '3000', HOST = 'localhost' } = process.env

const app = createServer((request, response) => {
  const { 'x-forwarded-for': client, 'x-forwarded-proto': scheme } = request.headers
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`Hello, ${client}: you came by ${scheme}.\n`)
})

app.listen(Number(PORT), HOST, () => process.stdout.write(`The app answers at http://${HOST}:${PORT}\n`))
