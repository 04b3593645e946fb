import type { FromWorker, ToWorker } from '../../src/supervisor/messages.ts'

// A worker process for tests: it serves nobody, answers what it is asked, and told new secrets falls into an endless loop.

const send = (message: FromWorker): unknown => process.send?.(message)

process.once('disconnect', () => process.exit(0))
process.on('message', (message: ToWorker): unknown => {
  switch (message.type) {
    case 'start':
      return send({ type: 'ready' })
    case 'heartbeat':
      return send({ type: 'alive' })
    case 'drain':
      return process.exit(0)
    case 'ticket-secrets':
      for (;;);
    default:
      return undefined
  }
})
