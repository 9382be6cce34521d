import { describe, expect, it } from 'vitest'
import { SseParser } from '../src/chat/sse'

/** Feeds the text in pieces of each size, and expects the same events however it was cut. */
function check(text: string, expected: string[]): void {
  for (let size = 1; size <= text.length; size++) {
    const parser = new SseParser()
    const found: string[] = []
    for (let at = 0; at < text.length; at += size) {
      for (const event of parser.feed(text.slice(at, at + size))) found.push(event.data)
    }
    expect(found, `in pieces of ${size}`).toEqual(expected)
  }
}

describe('the parser of server-sent events', () => {
  it.each([
    ['one event', 'data: a\n\n', ['a']],
    ['several events', 'data: a\n\ndata: b\n\n', ['a', 'b']],
    ['lines ending in CR LF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
    ['lines ending in CR', 'data: a\r\rdata: b\r\rdata: c\n', ['a', 'b']],
    ['data over several lines', 'data: a\ndata:\ndata: b\n\n', ['a\n\nb']],
    ['no space after the colon, and only one taken', 'data:a\n\ndata:  b\n\n', ['a', ' b']],
    ['comments that keep the line awake', ': ping\n\ndata: a\n: ping\n\n', ['a']],
    ['fields that it does not know', 'id: 7\nretry: 10\nfoo\ndata: a\n\n', ['a']],
    ['a byte order mark', '\ufeffdata: a\n\n', ['a']],
    ['letters of every script', 'data: habari · مرحبا · 🌳\n\n', ['habari · مرحبا · 🌳']],
  ])('reads %s, however it is cut', (_, text, expected) => check(text, expected))

  it('gives nothing of an event that is not finished', () => {
    expect(new SseParser().feed('data: a\ndata: b\n')).toEqual([])
  })

  it('names events, and forgets the name with the event', () => {
    expect(new SseParser().feed('event: x\ndata: a\n\ndata: b\n\n')).toEqual([
      { event: 'x', id: null, data: 'a' },
      { event: 'message', id: null, data: 'b' },
    ])
  })

  it('numbers those events that have a number of their own', () => {
    const ids = new SseParser().feed('id: 0\ndata: a\n\ndata: b\nid: 1\n\ndata: c\n\n').map((event) => event.id)
    expect(ids).toEqual(['0', '1', null])
  })

  it('refuses an event without end instead of filling the memory', () => {
    const parser = new SseParser()
    expect(() => {
      for (let at = 0; at < 20; at++) parser.feed(`data: ${'x'.repeat(100_000)}\n`)
    }).toThrow(/too large/)
  })
})
