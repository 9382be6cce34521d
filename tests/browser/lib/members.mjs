// Other members, who keep the box busy: each with a question of their own that takes long, none with a browser.
import assert from 'node:assert/strict'
import { BOX } from './box.mjs'

const QUESTION = 'Write a very long story about a village, a river and a tree. Tell it in many sentences.'

/** Lets so many members ask that every place is taken and `waiting` more wait; gives the way to send them all home. */
export async function fill(waiting) {
  const { queue } = await (await fetch(`${BOX}/api/status`)).json()
  assert.ok(queue, 'the box tells of no queue')
  const members = await Promise.all(Array.from({ length: queue.places + waiting }, member))
  return { leave: () => Promise.all(members.map((one) => one.leave())) }
}

/** One member with a cookie of their own, whose question the box has taken. */
async function member() {
  const first = await fetch(`${BOX}/api/status`)
  const cookie = first.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ')
  assert.match(cookie, /banyan_member=/, 'the box knows its members by a cookie')
  const response = await fetch(`${BOX}/api/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie },
    body: JSON.stringify({ messages: [{ role: 'user', content: QUESTION }] }),
  })
  const reader = response.body.getReader()
  const text = new TextDecoder().decode((await reader.read()).value)
  const answer = /"answer":"([^"]+)"/.exec(text)?.[1]
  assert.ok(answer, `the box did not take the question: ${text}`)
  // Read on, so that the box has a listener; what it says is of no interest.
  const reading = (async () => {
    while (!(await reader.read()).done);
  })().catch(() => undefined)
  return {
    leave: async () => {
      await fetch(`${BOX}/api/chat/${answer}`, { method: 'DELETE', headers: { cookie } })
      await reading
    },
  }
}
