// Who is signed in, what they may do, and how many votes wait for them. Part of the first bundle, because the panel
// shows it on every page; everything else of the community is loaded when it is visited.

import { computed, reactive } from 'vue'
import { call, get, post, whenSignedOut, type Me, type Permission, type ProposalList, type ProposalSummary } from './api'
import { nameCommunity } from './name'

export const me = reactive<{
  body: Me | null
  waiting: number
  /** How often somebody else was signed in than before: what a page shows belongs to one of them. */
  turns: number
}>({ body: null, waiting: 0, turns: 0 })

export const member = computed(() => me.body?.member ?? null)
/** Null until the box has said so. */
export const founded = computed(() => me.body?.founded ?? null)

/** While somebody looks; a vote that opens meanwhile is seen within this time. */
const LOOK_EVERY_MS = 60_000

export function may(permission: Permission): boolean {
  return member.value?.permissions.includes(permission) ?? false
}

export function setMe(body: Me): void {
  if (me.body !== null && me.body.member?.id !== body.member?.id) me.turns += 1
  me.body = body
  if (body.founded) nameCommunity(body.community)
  if (!body.member) me.waiting = 0
}

/** Asks the box. Out of reach, what was known stays. */
export async function loadMe(): Promise<void> {
  try {
    setMe(await get<Me>('me'))
    if (member.value) await countWaiting()
  } catch {
    // The banner says that the box is out of reach; there is nothing to add.
  }
}

export const waitsFor = (one: ProposalSummary): boolean => one.state === 'open' && !one.voted

export async function countWaiting(): Promise<void> {
  const { proposals } = await get<ProposalList>('proposals')
  me.waiting = proposals.filter(waitsFor).length
}

export async function signOut(everywhere = false): Promise<void> {
  await post('sign-out', { everywhere })
  await loadMe()
}

export function watchMe(): void {
  whenSignedOut(() => {
    // The session ended elsewhere. Asked once: the answer to this is no 401.
    if (member.value) void call<Me>('GET', 'me').then(setMe, () => undefined)
  })
  let timer: ReturnType<typeof setTimeout> | undefined
  const look = (): void => {
    clearTimeout(timer)
    if (document.visibilityState !== 'visible') return
    void loadMe().finally(() => (timer = setTimeout(look, LOOK_EVERY_MS)))
  }
  document.addEventListener('visibilitychange', look)
  look()
}
