import { createServer } from 'node:http'

const { PORT = '3001', HOST = 'localhost' } = process.env

const app = createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(request.url === '/healthz' ? 'well\n' : `Hello from the copy at port ${PORT}.\n`)
})

app.listen(Number(PORT), HOST, () => process.stdout.write(`The app answers at http://${HOST}:${PORT}\n`))
