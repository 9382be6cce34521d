// Files on their way into the library. They go on while the member looks at other pages, and the box is asked how far
// each is; a page that was loaded anew finds those of its member again.
//
//   sending ──► queued ──► reading ──► done
//      │           │          └──────► refused   (the box says why)
//      └───────────┴─────────────────► failed    (the box could not be reached; can be sent again)
//
// One file is sent at a time: a phone's Wi-Fi carries one well and three badly.

import { reactive, readonly } from 'vue'
import { failureWords } from '../community/failures'
import { ApiFailure } from '../community/api'
import { newId } from '../ids'
import { query, upload, uploads, type Upload } from './api'

export interface Target {
  collection: string
  /** The file becomes the next version of this document. */
  document?: string
  why?: string
  title?: string
  author?: string
}

export type State = 'waits' | 'sending' | 'queued' | 'reading' | 'done' | 'refused' | 'failed'

export interface OnItsWay {
  key: string
  name: string
  bytes: number
  state: State
  /** Percent of what the present state is about. */
  progress: number
  /** Files that are read before this one. */
  ahead: number
  document: string | null
  /** Whether a librarian looks at it first. */
  review: boolean
  /** Why it was refused or failed. */
  reason: string | null
  /** What could not be read of it. */
  warnings: readonly string[]
}

const list = reactive<OnItsWay[]>([])
export const onTheirWay = readonly(list)

/** What is sent, for those that are not sent yet or may have to be sent again. */
const files = new Map<string, { file: File; target: Target }>()
let sending = false

const LOOK_EVERY_MS = 700
/** A box that does not answer is asked less and less often. */
const LONGEST_WAIT_MS = 8_000

export interface Door {
  /** Sends a file and tells of its progress; gives the box's name for it. Throws `ApiFailure`. */
  send: (path: string, file: File, progress: (percent: number) => void) => Promise<string>
  look: (id: string) => Promise<Upload>
  pause: (ms: number) => Promise<void>
}
const HERE: Door = { send, look: upload, pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }

export function offer(chosen: readonly File[], target: Target, door: Door = HERE): void {
  for (const file of chosen) {
    const key = newId()
    files.set(key, { file, target })
    list.unshift({ key, name: file.name, bytes: file.size, state: 'waits', progress: 0, ahead: 0, document: null, review: false, reason: null, warnings: [] })
  }
  void sendAll(door)
}

export function sendAgain(key: string, door: Door = HERE): void {
  const one = list.find((one) => one.key === key)
  if (!one || !files.has(key)) return
  Object.assign(one, { state: 'waits', progress: 0, reason: null })
  void sendAll(door)
}

/** Takes a finished one off the page. */
export function putAway(key: string): void {
  const at = list.findIndex((one) => one.key === key)
  if (at >= 0 && ['done', 'refused', 'failed'].includes(list[at]!.state)) list.splice(at, 1)
  files.delete(key)
}

/** Files of this member that the box has from before, also from another device. */
export async function findEarlier(door: Door = HERE, found: () => Promise<Upload[]> = uploads): Promise<void> {
  const earlier = await found().catch(() => [])
  for (const one of [...earlier].reverse()) {
    if (one.state === 'arriving' || list.some(({ key }) => key === one.id)) continue
    const here: OnItsWay = { key: one.id, name: one.name, bytes: 0, state: 'queued', progress: 0, ahead: 0, document: null, review: false, reason: null, warnings: [] }
    list.unshift(here)
    take(here.key, one)
    if (one.state !== 'done' && one.state !== 'refused') void watch(here.key, one.id, door)
  }
}

async function sendAll(door: Door): Promise<void> {
  if (sending) return
  sending = true
  try {
    for (;;) {
      // The oldest first: the newest stands at the head of the list.
      const next = [...list].reverse().find(({ state }) => state === 'waits')
      if (!next) return
      await sendOne(next.key, door)
    }
  } finally {
    sending = false
  }
}

async function sendOne(key: string, door: Door): Promise<void> {
  const one = list.find((one) => one.key === key)!
  const { file, target } = files.get(key)!
  one.state = 'sending'
  try {
    const { document, collection, ...about } = target
    const path = `library/documents${query({ name: file.name, ...(document ? { document } : { collection }), ...about })}`
    const id = await door.send(path, file, (percent) => (one.progress = percent))
    // From here on the box's name is the better one: a reload finds it under that.
    one.key = id
    files.set(id, files.get(key)!)
    files.delete(key)
    Object.assign(one, { state: 'queued', progress: 0 })
    void watch(id, id, door)
  } catch (cause) {
    const refused = cause instanceof ApiFailure && cause.status >= 400 && cause.status < 500 && cause.status !== 429
    Object.assign(one, { state: refused ? 'refused' : 'failed', reason: failureWords(cause) })
  }
}

/** Asks how far a file is, until it is a document or none. */
async function watch(key: string, id: string, door: Door): Promise<void> {
  let misses = 0
  for (;;) {
    await door.pause(Math.min(LONGEST_WAIT_MS, LOOK_EVERY_MS * 2 ** misses))
    if (!list.some((one) => one.key === key)) return
    try {
      const found = await door.look(id)
      misses = 0
      take(key, found)
      if (found.state === 'done' || found.state === 'refused') return
    } catch (cause) {
      // The box was started anew and has lost it on the way: it has to be sent again.
      if (cause instanceof ApiFailure && cause.status === 404) {
        const one = list.find((one) => one.key === key)
        if (one) Object.assign(one, { state: 'failed', reason: failureWords(cause) })
        return
      }
      misses += 1
    }
  }
}

function take(key: string, found: Upload): void {
  const one = list.find((one) => one.key === key)
  if (!one) return
  const { state, progress, ahead, document, waiting, reason, warnings } = found
  Object.assign(one, {
    state: state === 'arriving' ? 'sending' : state,
    progress,
    ahead,
    document: document ?? null,
    review: waiting,
    reason: reason ?? null,
    warnings,
  })
  if (state === 'done') files.delete(key)
}

/** `fetch` cannot tell how much has left the phone; this can. */
function send(path: string, file: File, progress: (percent: number) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', `/api/${path}`)
    request.setRequestHeader('accept', 'application/json')
    request.setRequestHeader('content-type', 'application/octet-stream')
    request.upload.onprogress = ({ lengthComputable, loaded, total }) => {
      if (lengthComputable && total > 0) progress(Math.floor((100 * loaded) / total))
    }
    request.onerror = () => reject(new ApiFailure('unreachable', '', 0))
    request.onabort = request.onerror
    request.onload = () => {
      try {
        const body = JSON.parse(request.responseText) as { upload?: string; error?: { code?: string | null; message?: string } }
        if (request.status === 202 && body.upload) resolve(body.upload)
        else reject(new ApiFailure(body.error?.code ?? `http_${request.status}`, body.error?.message ?? '', request.status))
      } catch {
        reject(new ApiFailure(request.status === 413 ? 'too_large' : 'unreachable', '', request.status))
      }
    }
    request.send(file)
  })
}
