import { download as transfer } from '../load/transfer.ts'
import { transfers } from './transfers.ts'

export const download = transfers({ name: 'download', title: 'download of 100 MB', origin: 'static', transfer })
