import { MemoryStorage } from '../fakes/memory-storage.ts'
import { storageContract } from './contract.ts'

storageContract('memory', async () => new MemoryStorage())
