import type { Conversation, Summary } from '../chat/types'
import { isConversation, latestFirst, summaryOf, type HistoryStore } from './store'

const DATABASE = 'banyan'
const TABLE = 'conversations'
/** Some browsers never answer an open request in a private window; after this long the next way is tried. */
const OPEN_TIMEOUT_MS = 1500

function promised<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB refused'))
  })
}

export async function openIndexedDb(): Promise<HistoryStore> {
  const open = indexedDB.open(DATABASE, 1)
  open.onupgradeneeded = () => open.result.createObjectStore(TABLE, { keyPath: 'id' })
  const timeout = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('IndexedDB is silent')), OPEN_TIMEOUT_MS))
  const database = await Promise.race([promised(open), timeout])
  // A newer version of the page in another tab may need to change the table.
  database.onversionchange = () => database.close()
  return new IndexedDbHistory(database)
}

class IndexedDbHistory implements HistoryStore {
  readonly kind = 'indexeddb'
  constructor(private readonly database: IDBDatabase) {}

  async list(): Promise<Summary[]> {
    const all: unknown[] = await promised(this.table('readonly').getAll())
    return all.filter(isConversation).map(summaryOf).sort(latestFirst)
  }

  async load(id: string): Promise<Conversation | null> {
    const found: unknown = await promised(this.table('readonly').get(id))
    return isConversation(found) ? found : null
  }

  save(conversation: Conversation): Promise<void> {
    return this.write((table) => table.put(plain(conversation)))
  }

  remove(id: string): Promise<void> {
    return this.write((table) => table.delete(id))
  }

  clear(): Promise<void> {
    return this.write((table) => table.clear())
  }

  private table(mode: IDBTransactionMode): IDBObjectStore {
    return this.database.transaction(TABLE, mode).objectStore(TABLE)
  }

  /** Resolves when the transaction is on the disk, not when the request was taken. */
  private write(change: (table: IDBObjectStore) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(TABLE, 'readwrite')
      transaction.oncomplete = () => resolve()
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB refused'))
      change(transaction.objectStore(TABLE))
    })
  }
}

/** Vue's proxies cannot be cloned into the database. */
function plain(conversation: Conversation): Conversation {
  return JSON.parse(JSON.stringify(conversation)) as Conversation
}
