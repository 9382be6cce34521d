import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { done, events, fakeBox, started, token, type Connection, type FakeBox } from './box'

type SessionModule = typeof import('../src/chat/session')

const all = events(started, { type: 'queued', place: 2, expected_s: 9 }, token('a'), token('b'), token('c'), done)

/** The page is loaded: nothing is left but what the device keeps. */
async function load(connections: Connection[], conversation: string | null = null): Promise<{ page: SessionModule; box: FakeBox }> {
  vi.resetModules()
  const box = fakeBox(connections)
  vi.stubGlobal('fetch', (url: string, init?: RequestInit) =>
    url === '/api/status' ? Promise.reject(new TypeError('not now')) : box.fetcher(url, init),
  )
  const page = await import('../src/chat/session')
  await page.openSession()
  await page.open(conversation)
  return { page, box }
}

const answerOf = (page: SessionModule) => page.session.conversation.messages[1]!
const settled = (page: SessionModule) => vi.waitFor(() => expect(page.session.writing).toBeNull())
/** Also kept: what a reload finds. */
const over = async (page: SessionModule): Promise<void> => {
  await settled(page)
  await vi.waitFor(() => expect(localStorage.getItem(`banyan.conversation.${page.session.conversation.id}`)).not.toMatch('"writing"'))
}

beforeEach(() => localStorage.clear())
afterEach(() => void vi.unstubAllGlobals())

describe('an answer', () => {
  it('shows its place until it is its turn, and not one moment longer', async () => {
    const { page } = await load([{ send: all.slice(0, 2), then: 'hang' }])
    page.send('hello')
    await vi.waitFor(() => expect(page.session.run?.wait?.place).toBe(2))
    expect(page.session.run!.wait!.until! - Date.now()).toBeGreaterThan(5_000)

    const second = await load([{ send: all.slice(0, 3), then: 'hang' }])
    second.page.send('hello')
    await vi.waitFor(() => expect(answerOf(second.page).text).toBe('a'))
    expect(second.page.session.run?.wait).toBeNull()
  })

  it('goes on after a reload where it was, and asks nothing twice', async () => {
    const before = await load([{ send: all.slice(0, 3), then: 'hang' }])
    before.page.send('hello')
    await vi.waitFor(() => expect(answerOf(before.page).text).toBe('a'))
    document.dispatchEvent(new Event('visibilitychange'))
    const { id } = before.page.session.conversation

    const after = await load([{ rest: all }], id)
    await over(after.page)
    expect(answerOf(after.page)).toMatchObject({ text: 'abc', state: 'complete' })
    expect(after.box.asked).toHaveLength(1)
    expect(after.box.asked[0]).toMatch(/^GET n1 behind [0-2]$/)
  })

  it('that the box has no more says so, and can be asked again', async () => {
    const before = await load([{ send: all.slice(0, 3), then: 'hang' }])
    before.page.send('hello')
    await vi.waitFor(() => expect(answerOf(before.page).run?.last).toBe(2))
    const { id } = before.page.session.conversation

    const { page, box } = await load([{ status: 404, code: 'not_found' }, { send: all }], id)
    await over(page)
    expect(answerOf(page)).toMatchObject({ state: 'failed', failure: { code: 'answer_gone' } })
    page.retry(answerOf(page).id)
    await over(page)
    expect(answerOf(page)).toMatchObject({ text: 'abc', state: 'complete' })
    expect(box.asked).toEqual(['GET n1 behind 0', 'POST'])
  })

  it('goes on while the member reads another conversation, and is whole when they come back', async () => {
    const { page } = await load([{ send: all.slice(0, 3) }, { rest: all }])
    page.send('hello')
    const { id } = page.session.conversation
    await page.open(null)
    expect(page.session.writing).toBeNull()
    await vi.waitFor(() => expect(localStorage.getItem(`banyan.conversation.${id}`)).toMatch('"complete"'))
    await page.open(id)
    expect(answerOf(page)).toMatchObject({ text: 'abc', state: 'complete' })
  })

  it('is the same one when the member comes back while it is written', async () => {
    const { page, box } = await load([{ send: all.slice(0, 3), then: 'hang' }])
    page.send('hello')
    const { id } = page.session.conversation
    await page.open(null)
    await vi.waitFor(() => expect(box.asked).toHaveLength(1))
    await page.open(id)
    await vi.waitFor(() => expect(answerOf(page).text).toBe('a'))
    expect(page.session.writing).toBe(answerOf(page).id)
    expect(box.asked).toEqual(['POST'])
  })

  it('that is refused for a while knows until when', async () => {
    const { page } = await load([{ send: events(started, { type: 'error', code: 'quota', message: '', retry: true, retry_after_s: 40 }) }])
    page.send('hello')
    await over(page)
    expect(answerOf(page).failure).toMatchObject({ code: 'quota' })
    expect(answerOf(page).failure!.until! - Date.now()).toBeGreaterThan(30_000)
  })
})

describe('stopping', () => {
  it('tells the box, and hears nothing more', async () => {
    const { page, box } = await load([{ send: all.slice(0, 3), then: 'hang' }])
    page.send('hello')
    await vi.waitFor(() => expect(answerOf(page).text).toBe('a'))
    page.stop()
    await over(page)
    expect(answerOf(page)).toMatchObject({ text: 'a', state: 'stopped' })
    expect(box.asked).toEqual(['POST', 'DELETE n1'])
  })

  it('before the box has named the answer still reaches it', async () => {
    const { page, box } = await load([{ send: all.slice(0, 3), then: 'hang' }])
    page.send('hello')
    page.stop()
    expect(answerOf(page).state).toBe('stopped')
    await vi.waitFor(() => expect(box.asked).toEqual(['POST', 'DELETE n1']))
    expect(answerOf(page).text).toBe('')
  })

  it('happens to what is deleted, and it does not come back', async () => {
    const { page, box } = await load([{ send: all.slice(0, 3), then: 'hang' }])
    page.send('hello')
    await vi.waitFor(() => expect(answerOf(page).text).toBe('a'))
    const { id } = page.session.conversation
    await page.remove(id)
    await vi.waitFor(() => expect(box.asked).toEqual(['POST', 'DELETE n1']))
    // Long enough for whatever still wanted to keep it.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(page.session.list).toEqual([])
    expect(localStorage.getItem(`banyan.conversation.${id}`)).toBeNull()
  })
})

describe('what is kept elsewhere, too', () => {
  it('is every whole conversation, and comes back without taking what is newer here', async () => {
    const { page } = await load([{ send: all }])
    page.send('hello')
    await over(page)
    const [one] = JSON.parse(JSON.stringify(await page.everything())) as [Record<string, unknown>]
    expect(one).toMatchObject({ id: page.session.conversation.id, title: 'hello' })

    expect(await page.takeIn({ ...one, title: 'older', updatedAt: 1 })).toBe(true)
    expect(page.session.list[0]?.title).toBe('hello')
    await page.removeAll()
    expect(await page.takeIn(one)).toBe(true)
    expect(page.session.list.map(({ title }) => title)).toEqual(['hello'])
    expect(await page.takeIn({ title: 'no conversation' })).toBe(false)
  })

  it('leaves out what is being written', async () => {
    const { page } = await load([{ send: all.slice(0, 3), then: 'hang' }])
    page.send('hello')
    await vi.waitFor(() => expect(answerOf(page).text).toBe('a'))
    expect(await page.everything()).toEqual([])
  })
})
