// Server-sent events out of a byte stream, as the specification says, for `fetch` (EventSource cannot POST).
// Values in, values out: `feed` takes text as it arrives, however it was cut, and gives back whole events.

export interface ServerEvent {
  /** The event's name; "message" when the server gave none. */
  event: string
  /** The event's own id, or null. (EventSource would pass on the one before; here a number says what came twice.) */
  id: string | null
  data: string
}

/** A single event larger than this is not ours: the answer's tokens are a few bytes each. */
const MAX_EVENT_CHARS = 1_000_000

export class SseParser {
  private buffer = ''
  private event = ''
  private id: string | null = null
  private data: string[] = []
  private size = 0
  private started = false

  /** Takes the next piece of the stream, gives the events that it completed. */
  feed(text: string): ServerEvent[] {
    const events: ServerEvent[] = []
    this.buffer += text
    if (!this.started && this.buffer.length > 0) {
      this.started = true
      if (this.buffer.charCodeAt(0) === 0xfeff) this.buffer = this.buffer.slice(1)
    }
    let from = 0
    for (;;) {
      const end = this.lineEnd(from)
      if (end === null) break
      const done = this.line(this.buffer.slice(from, end.at))
      if (done) events.push(done)
      from = end.next
    }
    this.buffer = this.buffer.slice(from)
    if (this.buffer.length + this.size > MAX_EVENT_CHARS) throw new Error('an event of the answer stream is too large')
    return events
  }

  /** Lines end in LF, CR LF or CR; a CR at the very end waits, because its LF may be in the next piece. */
  private lineEnd(from: number): { at: number; next: number } | null {
    for (let i = from; i < this.buffer.length; i++) {
      const char = this.buffer.charCodeAt(i)
      if (char === 10) return { at: i, next: i + 1 }
      if (char === 13) {
        if (i + 1 === this.buffer.length) return null
        return { at: i, next: this.buffer.charCodeAt(i + 1) === 10 ? i + 2 : i + 1 }
      }
    }
    return null
  }

  private line(line: string): ServerEvent | null {
    if (line === '') return this.dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return null // a comment: the server keeps the connection awake
    const field = colon < 0 ? line : line.slice(0, colon)
    let value = colon < 0 ? '' : line.slice(colon + 1)
    if (value.startsWith(' ')) value = value.slice(1)
    if (field === 'event') this.event = value
    if (field === 'id' && !value.includes('\0')) this.id = value
    if (field === 'data') {
      this.data.push(value)
      this.size += value.length
    }
    return null
  }

  private dispatch(): ServerEvent | null {
    const { event, id, data } = this
    this.event = ''
    this.id = null
    this.data = []
    this.size = 0
    return data.length === 0 ? null : { event: event || 'message', id, data: data.join('\n') }
  }
}
