// A box for tests: it keeps the events of each answer, and cuts the line where a test says so.

export interface Sent {
  id: number | null
  data: string
}

/** A question's events, numbered as the portal numbers them. */
export function events(...all: object[]): Sent[] {
  return all.map((event, id) => ({ id, data: JSON.stringify(event) }))
}

export const started = { type: 'started', answer: 'n1' }
export const token = (text: string): object => ({ type: 'token', text })
export const done = { type: 'done', finish_reason: 'stop' }

/** What one connection does. */
export type Connection =
  | 'unreachable'
  /** A refusal with the box's own words, or without. */
  | { status: number; code?: string }
  /** Sends these events; then ends, breaks with an error, or hangs. */
  | { send: Sent[]; then?: 'end' | 'break' | 'hang'; cut?: string }
  /** Sends what comes behind the event that was asked for. */
  | { rest: Sent[]; then?: 'end' | 'break' | 'hang' }

export interface FakeBox {
  fetcher: typeof fetch
  /** "POST", or "GET n1 behind 3", one for each connection. */
  asked: string[]
}

export function fakeBox(connections: Connection[]): FakeBox {
  const asked: string[] = []
  const fetcher: typeof fetch = (url, init) => {
    const path = url as string
    const behind = (init?.headers as Record<string, string> | undefined)?.['last-event-id']
    const method = init?.method ?? 'GET'
    asked.push([method, ...(path === '/api/chat' ? [] : [path.slice('/api/chat/'.length)]), ...(behind === undefined ? [] : ['behind', behind])].join(' '))
    if (method === 'DELETE') return Promise.resolve(new Response(null, { status: 204 }))
    const next = connections.shift()
    if (next === undefined) throw new Error('the test expected no further connection')
    if (next === 'unreachable') return Promise.reject(new TypeError('Failed to fetch'))
    if ('status' in next) {
      const body = next.code === undefined ? '<html></html>' : JSON.stringify({ error: { code: next.code, message: '' } })
      return Promise.resolve(new Response(body, { status: next.status }))
    }
    const sent = 'rest' in next ? next.rest.filter(({ id }) => id === null || id > Number(behind)) : next.send
    const text = sent.map(({ id, data }) => `${id === null ? '' : `id: ${id}\n`}data: ${data}\n\n`).join('') + (('cut' in next && next.cut) || '')
    return Promise.resolve(
      new Response(stream(text, next.then ?? 'end', init?.signal ?? null), { headers: { 'content-type': 'text/event-stream' } }),
    )
  }
  return { fetcher, asked }
}

function stream(text: string, then: 'end' | 'break' | 'hang', signal: AbortSignal | null): ReadableStream<Uint8Array> {
  let told = false
  return new ReadableStream({
    start(controller) {
      signal?.addEventListener('abort', () => controller.error(new DOMException('aborted', 'AbortError')))
    },
    pull(controller) {
      if (!told && text !== '') {
        told = true
        controller.enqueue(new TextEncoder().encode(text))
        return
      }
      if (then === 'hang') return new Promise(() => undefined)
      if (then === 'break') controller.error(new TypeError('network error'))
      else controller.close()
    },
  })
}
