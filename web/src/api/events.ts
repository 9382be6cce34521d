// What the box says while it answers, as far as the generated types do not say it yet.

import type { components } from './schema'

/** First of all: the answer's name, by which it can be had again after a lost connection. */
export interface Started {
  type: 'started'
  answer: string
}

/** The place in the fair queue, 1 being the next; seconds until the first words, null when the box cannot tell. */
export interface Queued {
  type: 'queued'
  place: number
  expected_s: number | null
}

type Known = components['schemas']['ChatEvent']
/** A refusal may say after how many seconds asking again makes sense, and an end that somebody stopped it. */
type Timed<Event> = Event extends { type: 'error' }
  ? Event & { retry_after_s?: number | null }
  : Event extends { type: 'done' }
    ? Event & { stopped?: boolean }
    : Event

export type ChatEvent = Timed<Known> | Started | Queued
export type ChatRequest = components['schemas']['ChatRequest'] & { urgent?: boolean | null }

/** How full the box is. */
export interface Queue {
  waiting: number
  running: number
  places: number
  /** How long a question of now would wait. */
  expected_s: number | null
  urgent_allowed?: boolean
}

export interface EngineView {
  name: string
  state: string
  slots: number
  in_flight: number
  reason?: string | null
}

export type StatusBody = components['schemas']['Status'] & { queue?: Queue; engines?: EngineView[] }
