import { describe, expect, it } from 'vitest'
import { chat, ChatError, chatEvent, type ChatEvent } from '../src/api/chat'

function answering(body: string | string[], init: ResponseInit = {}): typeof fetch {
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
  for await (const event of chat({ messages: [{ role: 'user', content: 'hello' }] }, 'sw', signal, fetcher)) events.push(event)
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

  it('an event without its words is no event', () => {
    expect(chatEvent('{"type":"token"}')).toBeNull()
    expect(chatEvent('{"type":"error","message":"x"}')).toBeNull()
    expect(chatEvent('null')).toBeNull()
  })
})
