import 'fake-indexeddb/auto'
import { reactive } from 'vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { openIndexedDb } from '../src/history/indexeddb'
import { openLocal } from '../src/history/local'
import { MemoryHistory } from '../src/history/memory'
import { openHistory, type HistoryStore } from '../src/history/store'
import { parseTurns } from '../src/history/turns'
import type { Conversation } from '../src/chat/types'

function conversation(id: string, updatedAt: number, title = `title of ${id}`): Conversation {
  return { id, title, named: false, createdAt: 1, updatedAt, messages: [{ id: 'm', role: 'user', text: 'habari', at: 1 }] }
}

const STORES: [string, () => Promise<HistoryStore>][] = [
  ['IndexedDB', openIndexedDb],
  ['localStorage', async () => openLocal()!],
  ['memory', async () => new MemoryHistory()],
]

describe.each(STORES)('history in %s', (_, openStore) => {
  let store: HistoryStore
  beforeEach(async () => {
    store = await openStore()
    await store.clear()
  })

  it('gives back what was saved', async () => {
    await store.save(conversation('a', 5))
    expect(await store.load('a')).toEqual(conversation('a', 5))
    expect(await store.load('b')).toBeNull()
  })

  it('lists the latest first, and each once however often it was saved', async () => {
    await store.save(conversation('a', 1))
    await store.save(conversation('b', 2))
    await store.save(conversation('a', 3, 'new title'))
    expect(await store.list()).toEqual([
      { id: 'a', title: 'new title', updatedAt: 3 },
      { id: 'b', title: 'title of b', updatedAt: 2 },
    ])
  })

  it('forgets one, and forgets all', async () => {
    await store.save(conversation('a', 1))
    await store.save(conversation('b', 2))
    await store.remove('a')
    expect((await store.list()).map((one) => one.id)).toEqual(['b'])
    await store.clear()
    expect(await store.list()).toEqual([])
  })

  it('takes what Vue has wrapped', async () => {
    await store.save(reactive(conversation('a', 1)))
    expect((await store.load('a'))?.messages[0]?.text).toBe('habari')
  })

  it('keeps a copy: later changes on the page are not in it until they are saved', async () => {
    const changing = conversation('a', 1)
    await store.save(changing)
    changing.messages[0]!.text = 'changed'
    expect((await store.load('a'))?.messages[0]?.text).toBe('habari')
  })
})

describe('where history is kept', () => {
  it('is IndexedDB where there is one', async () => {
    expect((await openHistory()).kind).toBe('indexeddb')
  })

  it('is localStorage where IndexedDB refuses', async () => {
    const open = vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('private window', 'SecurityError')
    })
    expect((await openHistory()).kind).toBe('local')
    open.mockRestore()
  })

  it('is memory where both refuse', async () => {
    const open = vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('private window', 'SecurityError')
    })
    const set = vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    expect((await openHistory()).kind).toBe('memory')
    open.mockRestore()
    set.mockRestore()
  })

  it('passes over what is not a conversation', async () => {
    localStorage.clear()
    localStorage.setItem('banyan.conversation.x', '{"id":7}')
    localStorage.setItem('banyan.conversation.y', 'not json')
    expect(await openLocal()!.list()).toEqual([])
  })
})

describe('the turns that the plain page carries', () => {
  it('are taken over when they are what we expect', () => {
    expect(parseTurns('[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]')).toHaveLength(2)
  })

  it.each(['', 'x', '{}', 'null', '[1,null,{"role":"system","content":"a"},{"role":"user"}]'])('are nothing in %j', (json) => {
    expect(parseTurns(json)).toEqual([])
  })
})
