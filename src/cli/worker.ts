import { runWorker } from '../supervisor/worker.ts'

/** `castellan worker`: what the supervisor starts. By hand it says so, for without a supervisor there is nothing to do. */
export async function worker(): Promise<number> {
  if (process.send === undefined) {
    process.stderr.write('castellan: "worker" is started by "castellan run", not by hand\n')
    return 2
  }
  runWorker()
  return 0
}
