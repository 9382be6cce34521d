// Waiting, in words: the place in the queue, how long about, and when asking again makes sense.

import type { Wait } from './chat/running'
import { t } from './i18n'

/** Below this nobody can say more than "any moment". */
const SOON_S = 3
/** A screen reader hears another place no more often than this, "you are next" at once. */
const QUIET_MS = 15_000

/** A length of time in its largest sensible unit. */
export function timeWords(seconds: number): string {
  if (seconds < 60) return t('time.seconds', { n: Math.max(1, Math.ceil(seconds)) })
  if (seconds < 3600) return t('time.minutes', { n: Math.ceil(seconds / 60) })
  return t('time.hours', { n: Math.ceil(seconds / 3600) })
}

/** The same when it is a guess: seconds in fives. */
export function roughTimeWords(seconds: number): string {
  return timeWords(seconds < 55 ? Math.max(5, Math.round(seconds / 5) * 5) : Math.max(60, Math.round(seconds / 60) * 60))
}

function placeWords(place: number): string {
  return place === 1 ? t('wait.next') : t('wait.place', { n: place }, 'ordinal')
}

export function waitWords(wait: Wait, now: number): string {
  const place = placeWords(wait.place)
  if (wait.until === null) return t('wait.only', { place })
  const left = (wait.until - now) / 1000
  return left < SOON_S ? t('wait.soon', { place }) : t('wait.about', { place, time: roughTimeWords(left) })
}

/** Whether a place is worth saying aloud after what was said last. */
export function worthSaying(said: { place: number; at: number } | null, place: number, now: number): boolean {
  if (said === null) return true
  return place !== said.place && (place === 1 || now - said.at >= QUIET_MS)
}
