import { createServer } from 'node:http2'

const { PORT = '3000' } = process.env

const UNIMPLEMENTED = '12'
const OK = '0'

/** The service of echo.proto, by hand: a real one is made by @grpc/grpc-js. What comes goes back, so nothing is decoded. */
const app = createServer((request, response) => {
  response.setHeader('content-type', 'application/grpc')
  if (request.url === '/echo.Echo/Say') {
    response.addTrailers({ 'grpc-status': OK })
    request.pipe(response)
  } else {
    response.setHeader('grpc-status', UNIMPLEMENTED)
    response.end()
  }
})

app.listen(Number(PORT), 'localhost', () => process.stdout.write(`The app answers at h2c://localhost:${PORT}\n`))
