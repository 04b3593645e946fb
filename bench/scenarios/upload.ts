import { upload as transfer } from '../load/transfer.ts'
import { transfers } from './transfers.ts'

export const upload = transfers({ name: 'upload', title: 'upload of 100 MB', origin: 'interactive', transfer })
