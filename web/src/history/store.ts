// Conversations stay on the member's device. Three ways to keep them, tried in this order: IndexedDB, localStorage
// (private windows of some browsers have no IndexedDB), and memory (captive mini-browsers have neither).

import type { Conversation, Summary } from '../chat/types'
import { openIndexedDb } from './indexeddb'
import { openLocal } from './local'
import { MemoryHistory } from './memory'

export interface HistoryStore {
  /** Where it is kept; "memory" is gone when the page is closed, and the app says so. */
  readonly kind: 'indexeddb' | 'local' | 'memory'
  /** All conversations, the latest first. */
  list(): Promise<Summary[]>
  load(id: string): Promise<Conversation | null>
  /** Rejects when the device has no room left. */
  save(conversation: Conversation): Promise<void>
  remove(id: string): Promise<void>
  clear(): Promise<void>
}

export async function openHistory(): Promise<HistoryStore> {
  return (await openIndexedDb().catch(() => null)) ?? openLocal() ?? new MemoryHistory()
}

export function summaryOf(conversation: Conversation): Summary {
  return { id: conversation.id, title: conversation.title, updatedAt: conversation.updatedAt }
}

export function latestFirst(a: Summary, b: Summary): number {
  return b.updatedAt - a.updatedAt
}

/** True for what looks like a conversation of ours: another page on the same address could have written there. */
export function isConversation(value: unknown): value is Conversation {
  const it = value as Partial<Conversation> | null
  return (
    typeof it === 'object' &&
    it !== null &&
    typeof it.id === 'string' &&
    typeof it.title === 'string' &&
    typeof it.updatedAt === 'number' &&
    Array.isArray(it.messages)
  )
}
