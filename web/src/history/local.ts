import type { Conversation, Summary } from '../chat/types'
import { isConversation, latestFirst, summaryOf, type HistoryStore } from './store'

const PREFIX = 'banyan.conversation.'

/** localStorage as history, or null where it cannot be written. */
export function openLocal(): HistoryStore | null {
  try {
    localStorage.setItem(`${PREFIX}probe`, '')
    localStorage.removeItem(`${PREFIX}probe`)
    return new LocalHistory()
  } catch {
    return null
  }
}

class LocalHistory implements HistoryStore {
  readonly kind = 'local'

  async list(): Promise<Summary[]> {
    const found: Summary[] = []
    for (const key of this.keys()) {
      const conversation = this.read(key)
      if (conversation) found.push(summaryOf(conversation))
    }
    return found.sort(latestFirst)
  }

  async load(id: string): Promise<Conversation | null> {
    return this.read(PREFIX + id)
  }

  async save(conversation: Conversation): Promise<void> {
    localStorage.setItem(PREFIX + conversation.id, JSON.stringify(conversation))
  }

  async remove(id: string): Promise<void> {
    localStorage.removeItem(PREFIX + id)
  }

  async clear(): Promise<void> {
    for (const key of this.keys()) localStorage.removeItem(key)
  }

  private keys(): string[] {
    const keys: string[] = []
    for (let at = 0; at < localStorage.length; at++) {
      const key = localStorage.key(at)
      if (key?.startsWith(PREFIX)) keys.push(key)
    }
    return keys
  }

  private read(key: string): Conversation | null {
    try {
      const value: unknown = JSON.parse(localStorage.getItem(key) ?? 'null')
      return isConversation(value) ? value : null
    } catch {
      return null
    }
  }
}
