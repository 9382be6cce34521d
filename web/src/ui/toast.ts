// One short message at a time at the foot of the page, with at most one thing to do.

import { reactive, readonly } from 'vue'

interface Toast {
  text: string
  action: string | null
  run: (() => void) | null
}

const state = reactive<Toast>({ text: '', action: null, run: null })
export const toast = readonly(state)

/** Long enough to read a sentence twice, or to notice that the wrong conversation is gone. */
const SHOWN_MS = 8_000
let timer: ReturnType<typeof setTimeout> | undefined

export function showToast(text: string, action: string | null = null, run: (() => void) | null = null): void {
  clearTimeout(timer)
  Object.assign(state, { text, action, run })
  timer = setTimeout(hideToast, SHOWN_MS)
}

export function hideToast(): void {
  clearTimeout(timer)
  Object.assign(state, { text: '', action: null, run: null })
}

export function runToast(): void {
  const { run } = state
  hideToast()
  run?.()
}
