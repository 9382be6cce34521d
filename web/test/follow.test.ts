import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Point } from '../src/api/chat'
import { follow, waitFor, type Step, type World } from '../src/chat/follow'
import { done, events, fakeBox, started, token, type Connection, type FakeBox } from './box'

const question = { messages: [{ role: 'user' as const, content: 'hello' }] }
const all = events(started, { type: 'queued', place: 2, expected_s: 9 }, token('a'), token('b'), token('c'), done)
const rest = { rest: all }

interface Followed {
  box: FakeBox
  steps: Step[]
  waits: number[]
  error: unknown
}

/** Follows an answer to its end over a box that behaves like this. */
async function followed(connections: Connection[], from: typeof question | Point = question, lasting = 0): Promise<Followed> {
  const box = fakeBox(connections)
  const waits: number[] = []
  let now = 0
  const pause: World['pause'] = (ms) => {
    waits.push(ms)
    now += ms + lasting
    return Promise.resolve()
  }
  const world: World = { fetcher: box.fetcher, now: () => now, random: () => 1, pause }
  const steps: Step[] = []
  let error: unknown = null
  try {
    for await (const step of follow(from, 'en', new AbortController().signal, world)) steps.push(step)
  } catch (cause) {
    error = cause
  }
  return { box, steps, waits, error }
}

const words = (steps: Step[]): string =>
  steps.map((step) => (typeof step !== 'string' && step.event.type === 'token' ? step.event.text : '')).join('')
const ends = (steps: Step[]): number => steps.filter((step) => typeof step !== 'string' && step.event.type === 'done').length

describe('an answer over one connection', () => {
  it('is given as it comes', async () => {
    const { steps, box, error } = await followed([{ send: all }])
    expect(error).toBeNull()
    expect(words(steps)).toBe('abc')
    expect(box.asked).toEqual(['POST'])
  })

  it('of a box that numbers nothing ends where the connection ends', async () => {
    const { steps, box, error } = await followed([{ send: [{ id: null, data: JSON.stringify(token('a')) }] }])
    expect([words(steps), error, box.asked]).toEqual(['a', null, ['POST']])
  })
})

describe('a lost connection', () => {
  it.each(all.slice(0, -1).map((_, at) => [at + 1] as [number]))('after %i events goes on where it was: no word twice, none lost', async (count) => {
    for (const then of ['end', 'break'] as const) {
      const { steps, box, error } = await followed([{ send: all.slice(0, count), then }, rest])
      expect(error).toBeNull()
      expect([words(steps), ends(steps)]).toEqual(['abc', 1])
      expect(box.asked).toEqual(['POST', `GET n1 behind ${count - 1}`])
    }
  })

  it('in the middle of an event loses nothing of it', async () => {
    const cut = 'id: 3\ndata: {"type":"token","te'
    const { steps, box } = await followed([{ send: all.slice(0, 3), cut }, rest])
    expect(words(steps)).toBe('abc')
    expect(box.asked[1]).toBe('GET n1 behind 2')
  })

  it('is said and taken back, unless the next try mends it at once', async () => {
    const flags = (steps: Step[]): Step[] => steps.filter((step) => typeof step === 'string')
    expect(flags((await followed([{ send: all.slice(0, 3) }, rest])).steps)).toEqual([])
    const { steps } = await followed([{ send: all.slice(0, 3) }, 'unreachable', 'unreachable', rest])
    expect(flags(steps)).toEqual(['lost', 'found'])
    expect(words(steps)).toBe('abc')
  })

  it('is tried again after longer and longer, and soon again once there was news', async () => {
    const away = Array<Connection>(6).fill('unreachable')
    const { waits } = await followed([{ send: all.slice(0, 2) }, ...away, { rest: all.slice(0, 3) }, rest])
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000, 500])
  })

  it('is tried by each phone at its own time', () => {
    expect(waitFor(3, 0)).toBe(1000)
    expect(waitFor(3, 1)).toBe(2000)
  })

  it.each([
    ['a box that is just starting', { status: 503 }],
    ['another network’s "not found"', { status: 404 }],
    ['a box that has too much to do', { status: 429 }],
  ])('is tried again behind %s', async (_, refusal) => {
    const { steps, error } = await followed([{ send: all.slice(0, 3) }, refusal, rest])
    expect([words(steps), error]).toEqual(['abc', null])
  })

  it('before the answer had a name is an error at once: the question may have arrived or not', async () => {
    expect((await followed(['unreachable'])).error).toMatchObject({ code: 'unreachable' })
    expect((await followed([{ send: [], then: 'break' }])).error).toMatchObject({ code: 'connection_lost' })
  })

  it('is given up once the box has surely forgotten the answer', async () => {
    const away = Array<Connection>(20).fill('unreachable')
    const { error, box } = await followed([{ send: all.slice(0, 3) }, ...away], question, 60_000)
    expect(error).toMatchObject({ code: 'connection_lost' })
    expect(box.asked.length).toBeLessThan(14)
  })
})

describe('an answer that is gone', () => {
  it('is said to be gone', async () => {
    const { error, steps } = await followed([{ send: all.slice(0, 3) }, { status: 404, code: 'answer_not_found' }])
    expect(error).toMatchObject({ code: 'answer_gone' })
    expect(words(steps)).toBe('a')
  })

  it('or whose missing part is gone, is not patched over', async () => {
    const { error, steps } = await followed([{ send: [all[0]!, all[1]!, all[2]!] }, { send: [all[4]!, all[5]!] }])
    expect(error).toMatchObject({ code: 'answer_gone' })
    expect(words(steps)).toBe('a')
  })
})

describe('the numbers of the events', () => {
  it('show what came twice', async () => {
    const twice = [...all.slice(0, 4), ...all.slice(1, 4), ...all.slice(3)]
    const { steps, box } = await followed([{ send: twice }])
    expect([words(steps), ends(steps), box.asked]).toEqual(['abc', 1, ['POST']])
  })

  it('show what is missing, and it is asked for', async () => {
    const { steps, box, error } = await followed([{ send: [...all.slice(0, 3), ...all.slice(4)] }, rest])
    expect(error).toBeNull()
    expect([words(steps), ends(steps)]).toEqual(['abc', 1])
    expect(box.asked).toEqual(['POST', 'GET n1 behind 2'])
  })

  it('count also for events that this version does not know', async () => {
    const newer = events(started, { type: 'sources', items: [] }, token('a'), done)
    const { steps, box } = await followed([{ send: newer }])
    expect([words(steps), ends(steps), box.asked]).toEqual(['a', 1, ['POST']])
  })
})

describe('a page that was loaded again', () => {
  it('goes on behind what it had kept', async () => {
    const { steps, box } = await followed([rest], { answer: 'n1', last: 2 })
    expect([words(steps), ends(steps)]).toEqual(['bc', 1])
    expect(box.asked).toEqual(['GET n1 behind 2'])
  })

  it('out of the box’s reach keeps trying', async () => {
    const { steps } = await followed(['unreachable', 'unreachable', rest], { answer: 'n1', last: 2 })
    expect(words(steps)).toBe('bc')
  })
})

describe('a connection that fell silent', () => {
  afterEach(() => void vi.useRealTimers())

  async function silent(until: () => Promise<unknown>): Promise<Followed> {
    vi.useFakeTimers()
    const following = (async () => {
      const box = fakeBox([{ send: all.slice(0, 3), then: 'hang' }, rest])
      const steps: Step[] = []
      const world: World = { fetcher: box.fetcher, now: Date.now, random: () => 1, pause: () => Promise.resolve() }
      for await (const step of follow(question, 'en', new AbortController().signal, world)) steps.push(step)
      return { box, steps, waits: [], error: null }
    })()
    await vi.advanceTimersByTimeAsync(10)
    await until()
    return following
  }

  it('is left and taken up again', async () => {
    const { steps } = await silent(() => vi.advanceTimersByTimeAsync(26_000))
    expect(words(steps)).toBe('abc')
  })

  it('is not trusted when the network comes back', async () => {
    const { steps } = await silent(() => Promise.resolve(window.dispatchEvent(new Event('online'))))
    expect(words(steps)).toBe('abc')
  })

  it('is not trusted when the phone is looked at again after a while', async () => {
    const { steps } = await silent(async () => {
      await vi.advanceTimersByTimeAsync(13_000)
      document.dispatchEvent(new Event('visibilitychange'))
    })
    expect(words(steps)).toBe('abc')
  })
})

it('a stop by the member ends it, also between two tries', async () => {
  const abort = new AbortController()
  const { fetcher, asked } = fakeBox([{ send: all.slice(0, 3) }])
  const world: World = { fetcher, now: () => 0, random: () => 1, pause: () => Promise.resolve(abort.abort()) }
  const listening = (async () => {
    for await (const step of follow(question, 'en', abort.signal, world)) void step
  })()
  await expect(listening).rejects.toMatchObject({ name: 'AbortError' })
  expect(asked).toEqual(['POST'])
})
