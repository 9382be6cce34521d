// How the box is, asked gently: seldom while all is well, more often while something is being mended, never while
// nobody looks.

import { reactive } from 'vue'
import type { components } from '../api/schema'

export type StatusBody = components['schemas']['Status']

/** What a member needs to tell apart. */
export type BoxState = 'unknown' | 'ready' | 'starting' | 'down' | 'unreachable'

export interface Box {
  state: BoxState
  body: StatusBody | null
  /** When the box last answered, in milliseconds since 1970; null before it did. */
  answeredAt: number | null
}

export const box = reactive<Box>({ state: 'unknown', body: null, answeredAt: null })

/** While the box is well. A member on a phone should not pay for this in battery. */
const CALM_MS = 20_000
/** First and longest wait while it is not: quick enough to notice a restarted engine, and no storm from fifty phones. */
const ANXIOUS_MIN_MS = 2_000
const ANXIOUS_MAX_MS = 10_000
/** A box that has not answered by then counts as away. */
const ANSWER_TIMEOUT_MS = 8_000

/** The engine's own word for its state, in the member's four. */
export function boxState(engine: string): BoxState {
  switch (engine) {
    case 'ready':
      return 'ready'
    case 'loading':
      return 'starting'
    default:
      return 'down'
  }
}

/** How long to wait before asking again: `misses` is the number of answers in a row that were not "ready". */
export function nextDelay(state: BoxState, misses: number): number {
  if (state === 'ready') return CALM_MS
  return Math.min(ANXIOUS_MAX_MS, ANXIOUS_MIN_MS * 2 ** Math.max(0, misses - 1))
}

async function fetchStatus(): Promise<StatusBody> {
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(), ANSWER_TIMEOUT_MS)
  try {
    const response = await fetch('/api/status', { signal: giveUp.signal, cache: 'no-store', credentials: 'same-origin' })
    return (await response.json()) as StatusBody
  } finally {
    clearTimeout(timer)
  }
}

let timer: ReturnType<typeof setTimeout> | undefined
let misses = 0
let asking: Promise<void> | null = null

async function ask(): Promise<void> {
  try {
    const body = await fetchStatus()
    box.body = body
    box.state = boxState(body.engine.state)
    box.answeredAt = Date.now()
  } catch {
    box.state = 'unreachable'
  }
  misses = box.state === 'ready' ? 0 : misses + 1
}

/** Asks now, and then again by itself. */
export function checkBox(): Promise<void> {
  clearTimeout(timer)
  asking ??= ask().finally(() => {
    asking = null
    if (document.visibilityState === 'visible') timer = setTimeout(() => void checkBox(), nextDelay(box.state, misses))
  })
  return asking
}

export function watchBox(): void {
  const again = (): void => {
    misses = 0
    // An answer that is on its way may have been given before things changed: it does not count as one to this.
    void (asking ?? Promise.resolve()).then(checkBox)
  }
  document.addEventListener('visibilitychange', () => (document.visibilityState === 'visible' ? again() : clearTimeout(timer)))
  window.addEventListener('online', again)
  window.addEventListener('offline', again)
  void checkBox()
}
