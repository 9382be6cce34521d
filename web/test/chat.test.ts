import { describe, expect, it } from 'vitest'
import { askBox, ChatError, chatEvent, listenAgain, stopAnswer, type ChatEvent } from '../src/api/chat'

function answering(body: string | string[], init: ResponseInit = { headers: { 'content-type': 'text/event-stream' } }): typeof fetch {
  const encoder = new TextEncoder()
  const parts = typeof body === 'string' ? [body] : body
  return () =>
    Promise.resolve(
      new Response(
        new ReadableStream({
          start(controller) {
            for (const part of parts) controller.enqueue(encoder.encode(part))
            controller.close()
          },
        }),
        init,
      ),
    )
}

async function collect(fetcher: typeof fetch): Promise<ChatEvent[]> {
  const events: ChatEvent[] = []
  const signal = new AbortController().signal
  for await (const { event } of askBox({ messages: [{ role: 'user', content: 'hello' }] }, { language: 'sw', signal, fetcher })) {
    if (event !== null) events.push(event)
  }
  return events
}

const token = (text: string): string => `data: ${JSON.stringify({ type: 'token', text })}\n\n`

describe('asking the box', () => {
  it('gives the tokens, the notices and the end in their order', async () => {
    const body = `data: {"type":"notice","text":"starting"}\n\n${token('Ha')}${token('bari')}data: {"type":"done","finish_reason":"stop","usage":null}\n\n`
    expect((await collect(answering(body))).map((event) => event.type)).toEqual(['notice', 'token', 'token', 'done'])
  })

  it('reads nothing after the end', async () => {
    const body = `data: {"type":"done","finish_reason":"stop","usage":null}\n\n${token('late')}`
    expect(await collect(answering(body))).toHaveLength(1)
  })

  it('passes over events of a newer box', async () => {
    expect(await collect(answering(`data: {"type":"sources","items":[]}\n\ndata: not json\n\n${token('a')}`))).toEqual([
      { type: 'token', text: 'a' },
    ])
  })

  it('sends the language along, so that the box can answer in it', async () => {
    let sent: RequestInit | undefined
    await collect((_, init) => {
      sent = init
      return answering(token('a'))('')
    })
    expect(sent?.headers).toMatchObject({ 'accept-language': 'sw' })
  })

  it.each([
    ['its own code', 503, '{"error":{"code":"queue_full","message":"full","type":"server_error"}}', 'queue_full'],
    ['the type where there is no code', 400, '{"error":{"code":null,"message":"","type":"bad"}}', 'bad'],
    ['the engine away where a page came instead', 502, '<html>bad gateway</html>', 'engine_unavailable'],
    ['the bare status otherwise', 418, '', 'http_418'],
  ])('a refusal carries %s', async (_, status, body, code) => {
    await expect(collect(answering(body, { status }))).rejects.toMatchObject({ code })
  })

  it('a box that cannot be reached is "unreachable"', async () => {
    const failing = collect(() => Promise.reject(new TypeError('Failed to fetch')))
    await expect(failing).rejects.toBeInstanceOf(ChatError)
    await expect(failing).rejects.toMatchObject({ code: 'unreachable' })
  })

  it('a stop by the member is not an error of the box', async () => {
    const stopped = collect(() => Promise.reject(new DOMException('stopped', 'AbortError')))
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('a page of another network is not the box', async () => {
    const login = answering('<html>Please log in</html>', { headers: { 'content-type': 'text/html' } })
    await expect(collect(login)).rejects.toMatchObject({ code: 'unreachable' })
  })

  it('says after how many seconds asking again makes sense', async () => {
    const full = answering('{"error":{"code":"busy","message":""}}', { status: 503, headers: { 'retry-after': '12' } })
    await expect(collect(full)).rejects.toMatchObject({ code: 'busy', retryAfter: 12 })
  })

  it('an event that the end of the connection cut in two is no event, even if it could be read', async () => {
    expect(await collect(answering(`${token('a')}data: {"type":"token","text":"b"}`))).toEqual([{ type: 'token', text: 'a' }])
  })

  it('listens again under the answer’s name, behind the last event that is here', async () => {
    let asked: [string, RequestInit | undefined] | undefined
    const fetcher: typeof fetch = (url, init) => {
      asked = [url as string, init]
      return answering(`id: 8\n${token('b')}`)('')
    }
    const heard = []
    const line = { language: 'en', signal: new AbortController().signal, fetcher }
    for await (const one of listenAgain({ answer: 'a/b', last: 7 }, line)) heard.push(one)
    expect(asked).toMatchObject(['/api/chat/a%2Fb', { headers: { 'last-event-id': '7' } }])
    expect(heard).toEqual([
      { id: null, event: null },
      { id: 8, event: { type: 'token', text: 'b' } },
    ])
  })

  it('stops an answer by its name, and a box out of reach makes no noise', async () => {
    const asked: [string, string | undefined][] = []
    await stopAnswer('n', (url, init) => {
      asked.push([url as string, init?.method])
      return Promise.reject(new TypeError('out of reach'))
    })
    expect(asked).toEqual([['/api/chat/n', 'DELETE']])
  })

  it('an event without its words is no event', () => {
    expect(chatEvent('{"type":"token"}')).toBeNull()
    expect(chatEvent('{"type":"started"}')).toBeNull()
    expect(chatEvent('{"type":"queued","expected_s":1}')).toBeNull()
    expect(chatEvent('{"type":"error","message":"x"}')).toBeNull()
    expect(chatEvent('null')).toBeNull()
  })
})
