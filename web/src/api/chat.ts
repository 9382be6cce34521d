// One connection to an answer: `askBox` begins it (POST /api/chat), `listenAgain` goes on behind an event that is
// already there (GET /api/chat/{answer}), `stopAnswer` ends it. What happens when a connection breaks is decided in
// `chat/follow.ts`.

import { SseParser } from '../chat/sse'
import type { components } from './schema'

export type ChatRequest = components['schemas']['ChatRequest']
export type ChatEvent = components['schemas']['ChatEvent']

/** Where one stands in an answer: its name on the box, and the number of the last event that is here. */
export interface Point {
  answer: string
  last: number
}

/** An event with its number. Both are null in the first one of a connection, which says that the box has answered. */
export interface Heard {
  id: number | null
  /** Null for what this version does not know: it counts, and is passed over. */
  event: ChatEvent | null
}

export interface Line {
  language: string
  signal: AbortSignal
  /** Called at every sign of life, also those that carry no event. */
  heard?: () => void
  fetcher?: typeof fetch
}

/** The box could not be reached, or refused before the stream began. `code` is one that `errors.ts` knows. */
export class ChatError extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** After so many seconds asking again makes sense. */
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }
}

export function askBox(request: ChatRequest, line: Line): AsyncGenerator<Heard> {
  return listen(line, '/api/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  })
}

export function listenAgain(point: Point, line: Line): AsyncGenerator<Heard> {
  return listen(line, `/api/chat/${encodeURIComponent(point.answer)}`, { headers: { 'last-event-id': String(point.last) } })
}

/** Tells the box to write no further. Out of reach it stops by itself, because nobody listens. */
export async function stopAnswer(answer: string, fetcher: typeof fetch = fetch): Promise<void> {
  const init: RequestInit = { method: 'DELETE', credentials: 'same-origin', keepalive: true }
  await fetcher(`/api/chat/${encodeURIComponent(answer)}`, init).catch(() => undefined)
}

/** Ends after `done` or `error`, or when the connection ends; throws `ChatError` or AbortError. */
async function* listen(line: Line, path: string, init: RequestInit): AsyncGenerator<Heard> {
  const response = await answered(line, path, init)
  line.heard?.()
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  const parser = new SseParser()
  try {
    yield { id: null, event: null }
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw isAbort(cause) ? cause : new ChatError('connection_lost', String(cause))
      })
      // What the end of the connection cut in two is no event: the box gives it whole to who listens again.
      if (done) return
      line.heard?.()
      for (const { id, data } of parser.feed(decoder.decode(value, { stream: true }))) {
        const event = chatEvent(data)
        yield { id: numberOf(id), event }
        if (event?.type === 'done' || event?.type === 'error') return
      }
    }
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

async function answered(line: Line, path: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await (line.fetcher ?? fetch)(path, {
      ...init,
      headers: { ...init.headers, accept: 'text/event-stream', 'accept-language': line.language },
      signal: line.signal,
      credentials: 'same-origin',
      cache: 'no-store',
    })
  } catch (cause) {
    throw isAbort(cause) ? cause : new ChatError('unreachable', String(cause))
  }
  if (!response.ok) throw await refusal(response)
  // Another network's own page ("please log in") is not the box.
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    throw new ChatError('unreachable', 'something else than the box answered')
  }
  if (!response.body) throw new ChatError('connection_lost', 'the answer has no body')
  return response
}

/** The box's refusal in OpenAI's shape; a bare status when something else answered. */
async function refusal(response: Response): Promise<ChatError> {
  const { status } = response
  const fallback = status === 503 || status === 502 ? 'engine_unavailable' : `http_${status}`
  const retryAfter = Number.parseFloat(response.headers.get('retry-after') ?? '')
  const wait = Number.isFinite(retryAfter) ? retryAfter : null
  try {
    const body = (await response.json()) as { error?: { code?: string | null; type?: string; message?: string } }
    return new ChatError(body.error?.code ?? body.error?.type ?? fallback, body.error?.message ?? '', wait)
  } catch {
    return new ChatError(fallback, '', wait)
  }
}

function numberOf(id: string | null): number | null {
  return id !== null && /^\d{1,15}$/.test(id) ? Number(id) : null
}

/** One event; null for what this version does not know, so that a newer box can say more. */
export function chatEvent(data: string): ChatEvent | null {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const event = value as Record<string, unknown>
  switch (event.type) {
    case 'started':
      return typeof event.answer === 'string' ? (value as ChatEvent) : null
    case 'queued':
      return typeof event.place === 'number' ? (value as ChatEvent) : null
    case 'token':
    case 'notice':
    case 'replaced':
    case 'warning':
      return typeof event.text === 'string' ? (value as ChatEvent) : null
    case 'passages':
      return Array.isArray(event.passages) ? (value as ChatEvent) : null
    case 'cites':
      return Array.isArray(event.cited) && Array.isArray(event.sentences) ? (value as ChatEvent) : null
    case 'done':
      return value as ChatEvent
    case 'error':
      return typeof event.code === 'string' ? (value as ChatEvent) : null
    default:
      return null
  }
}

export function isAbort(cause: unknown): boolean {
  return cause instanceof DOMException && cause.name === 'AbortError'
}
