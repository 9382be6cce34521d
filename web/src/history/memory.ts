import type { Conversation, Summary } from '../chat/types'
import { latestFirst, summaryOf, type HistoryStore } from './store'

/** Lasts as long as the page. Texts are kept as JSON, so that nobody changes a saved conversation by accident. */
export class MemoryHistory implements HistoryStore {
  readonly kind = 'memory'
  private readonly kept = new Map<string, string>()

  async list(): Promise<Summary[]> {
    return [...this.kept.values()].map((text) => summaryOf(JSON.parse(text) as Conversation)).sort(latestFirst)
  }

  async load(id: string): Promise<Conversation | null> {
    const text = this.kept.get(id)
    return text === undefined ? null : (JSON.parse(text) as Conversation)
  }

  async save(conversation: Conversation): Promise<void> {
    this.kept.set(conversation.id, JSON.stringify(conversation))
  }

  async remove(id: string): Promise<void> {
    this.kept.delete(id)
  }

  async clear(): Promise<void> {
    this.kept.clear()
  }
}
