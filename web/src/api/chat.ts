// POST /api/chat: the question goes up as JSON, the answer comes down as server-sent events.

import { SseParser } from '../chat/sse'
import type { components } from './schema'

export type ChatRequest = components['schemas']['ChatRequest']
export type ChatEvent = components['schemas']['ChatEvent']

/** The box could not be reached, or refused before the stream began. `code` is one that `errors.ts` knows. */
export class ChatError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/** Streams one answer. Ends after `done` or `error`, or when the connection ends; throws `ChatError` or AbortError. */
export async function* chat(
  request: ChatRequest,
  language: string,
  signal: AbortSignal,
  fetcher: typeof fetch = fetch,
): AsyncGenerator<ChatEvent> {
  const response = await post(request, language, signal, fetcher)
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  const parser = new SseParser()
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw isAbort(cause) ? cause : new ChatError('connection_lost', String(cause))
      })
      for (const { data } of parser.feed(done ? `${decoder.decode()}\n\n` : decoder.decode(value, { stream: true }))) {
        const event = chatEvent(data)
        if (event === null) continue
        yield event
        if (event.type === 'done' || event.type === 'error') return
      }
      if (done) return
    }
  } finally {
    // Whoever stops reading early also lets the box stop writing.
    reader.cancel().catch(() => undefined)
  }
}

async function post(request: ChatRequest, language: string, signal: AbortSignal, fetcher: typeof fetch): Promise<Response> {
  let response: Response
  try {
    response = await fetcher('/api/chat', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', 'accept-language': language },
      body: JSON.stringify(request),
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
    })
  } catch (cause) {
    throw isAbort(cause) ? cause : new ChatError('unreachable', String(cause))
  }
  if (!response.ok) throw await refusal(response)
  if (!response.body) throw new ChatError('connection_lost', 'the answer has no body')
  return response
}

/** The box's refusal in OpenAI's shape; a bare status when something else answered. */
async function refusal(response: Response): Promise<ChatError> {
  const fallback = response.status === 503 || response.status === 502 ? 'engine_unavailable' : `http_${response.status}`
  try {
    const body = (await response.json()) as { error?: { code?: string | null; type?: string; message?: string } }
    return new ChatError(body.error?.code ?? body.error?.type ?? fallback, body.error?.message ?? '')
  } catch {
    return new ChatError(fallback, '')
  }
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
    case 'token':
    case 'notice':
      return typeof event.text === 'string' ? (value as ChatEvent) : null
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
