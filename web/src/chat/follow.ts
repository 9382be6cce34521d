// An answer from its first event to its last, over as many connections as that takes.
//
//   asking ──started──► listening ──done/error──► over
//                        ▲     │ the connection broke, fell silent, or left an event out
//                        │     ▼
//                        └── lost: wait (longer each time, never all phones at once), listen again behind the last event
//
// Events are numbered without a gap. What comes twice is passed over; where one is missing, it is asked for again.

import { askBox, ChatError, isAbort, listenAgain, type ChatEvent, type ChatRequest, type Heard, type Line, type Point } from '../api/chat'
import { wake } from '../wake'

/** What happens next to an answer: an event, each exactly once, or how the connection is. */
export type Step = { event: ChatEvent; id: number | null } | 'lost' | 'found'

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 8_000
/** The box gives a sign of life every 10 s; after two that did not come the connection is dead, though nobody said so. */
const SILENT_MS = 25_000
/** After a phone woke up, a connection that has been quiet for longer than a sign of life takes is not trusted. */
const DOUBTFUL_MS = 12_000
/** The box keeps an answer for ten minutes after its end, which comes a minute after the last listener went. */
const GIVE_UP_MS = 11 * 60_000

export interface World {
  fetcher: typeof fetch
  now: () => number
  random: () => number
  /** Waits, but not longer than until the phone or its network wakes up. */
  pause: (ms: number, signal: AbortSignal) => Promise<void>
}

const HERE: World = { fetcher: (...request) => fetch(...request), now: Date.now, random: Math.random, pause }

/** How long to wait before the next try: a hundred phones that lost the same box must not come back as one. */
export function waitFor(misses: number, random: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (misses - 1)) * (0.5 + random / 2)
}

/** Follows an answer from a question, or from a point in it. Throws `ChatError` when it cannot be had, or AbortError. */
export async function* follow(
  from: ChatRequest | Point,
  language: string,
  signal: AbortSignal,
  world: World = HERE,
): AsyncGenerator<Step> {
  let point: Point | null = 'answer' in from ? { ...from } : null
  let misses = 0
  let heardAt = world.now()
  let lost = false

  for (;;) {
    const line = openLine(signal, () => point !== null, world)
    const again = point !== null
    let fresh = true
    try {
      for await (const { id, event } of connect(from, point, { ...line, language, fetcher: world.fetcher })) {
        heardAt = world.now()
        if (lost) {
          lost = false
          yield 'found'
        }
        if (id !== null && point !== null) {
          if (id <= point.last) continue
          if (id > point.last + 1) {
            // Missing even when asked for: the box has it no more.
            if (again && fresh) throw new ChatError('answer_gone', `event ${point.last + 1} is not there any more`)
            break
          }
          point.last = id
          fresh = false
        }
        if (event === null) continue
        misses = 0
        if (event.type === 'started') point = { answer: event.answer, last: id ?? 0 }
        yield { event, id }
        if (event.type === 'done' || event.type === 'error') return
      }
      if (point === null) return
    } catch (cause) {
      if (signal.aborted) throw cause
      if (point === null || !mends(cause)) throw known(cause, again)
      if (world.now() - heardAt > GIVE_UP_MS) throw known(cause, again)
    } finally {
      line.close()
    }
    misses += 1
    // What the next try mends at once is not worth a word.
    if (misses === 2) {
      lost = true
      yield 'lost'
    }
    await world.pause(waitFor(misses, world.random()), signal)
    if (signal.aborted) throw new DOMException('stopped', 'AbortError')
  }
}

function connect(from: ChatRequest | Point, point: Point | null, line: Line): AsyncGenerator<Heard> {
  return point === null ? askBox(from as ChatRequest, line) : listenAgain(point, line)
}

/** Whether another try can help: the network's faults and a box that is just starting, not what the box refuses. */
function mends(cause: unknown): boolean {
  if (isAbort(cause)) return true
  if (!(cause instanceof ChatError)) return false
  // A 404 without the box's own words is another network's: the box says which answer it does not have.
  return ['unreachable', 'connection_lost', 'engine_unavailable'].includes(cause.code) || /^http_(404|408|429|5..)$/.test(cause.code)
}

/** What the member is told. */
function known(cause: unknown, again: boolean): unknown {
  if (isAbort(cause)) return new ChatError('connection_lost', 'the connection fell silent')
  if (!again || !(cause instanceof ChatError)) return cause
  return mends(cause) ? new ChatError('connection_lost', cause.message) : new ChatError('answer_gone', cause.message)
}

/** One connection's own signal: cut by the member, by silence, and by a wake-up that makes it doubtful. */
function openLine(outer: AbortSignal, resumable: () => boolean, world: World): Pick<Line, 'heard'> & { signal: AbortSignal; close: () => void } {
  const own = new AbortController()
  const cut = (): void => own.abort()
  let timer: ReturnType<typeof setTimeout> | undefined
  let heardAt = world.now()
  if (outer.aborted) cut()
  outer.addEventListener('abort', cut)
  const sleepOn = wake((what) => {
    const doubtful = what === 'online' || (what === 'visible' && world.now() - heardAt > DOUBTFUL_MS)
    if (doubtful && resumable()) cut()
  })
  return {
    signal: own.signal,
    heard: () => {
      heardAt = world.now()
      clearTimeout(timer)
      timer = setTimeout(cut, SILENT_MS)
    },
    close: () => {
      clearTimeout(timer)
      sleepOn()
      outer.removeEventListener('abort', cut)
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer)
      sleepOn()
      signal.removeEventListener('abort', over)
      resolve()
    }
    const timer = setTimeout(over, ms)
    const sleepOn = wake((what) => what !== 'hidden' && over())
    signal.addEventListener('abort', over)
  })
}
