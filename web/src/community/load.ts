// What a page shows: fetched when it opens, and again when it is told to.

import { onBeforeUnmount, ref, shallowRef, type Ref } from 'vue'
import { failureWords } from './failures'

export interface Loaded<T> {
  data: Ref<T | null>
  /** Why there is nothing, in words; null while all is well. */
  failed: Ref<string | null>
  reload: () => Promise<void>
  /** What an action gave back is the newest there is. */
  set: (value: T) => void
}

export function useLoad<T>(ask: () => Promise<T>): Loaded<T> {
  const data = shallowRef<T | null>(null) as Ref<T | null>
  const failed = ref<string | null>(null)
  let asked = 0
  let left = false
  async function reload(): Promise<void> {
    const mine = ++asked
    try {
      const found = await ask()
      if (left || mine !== asked) return
      data.value = found
      failed.value = null
    } catch (cause) {
      if (!left && mine === asked) failed.value = failureWords(cause)
    }
  }
  onBeforeUnmount(() => (left = true))
  void reload()
  const set = (value: T): void => {
    asked++
    data.value = value
    failed.value = null
  }
  return { data, failed, reload, set }
}

export interface Action {
  busy: Ref<boolean>
  /** Why the last try was refused; null after one that was not. */
  failed: Ref<string | null>
  /** Runs one thing at a time; gives whether it was done. */
  run: (what: () => Promise<unknown>) => Promise<boolean>
}

export function useAction(): Action {
  const busy = ref(false)
  const failed = ref<string | null>(null)
  async function run(what: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false
    busy.value = true
    failed.value = null
    try {
      await what()
      return true
    } catch (cause) {
      failed.value = failureWords(cause)
      return false
    } finally {
      busy.value = false
    }
  }
  return { busy, failed, run }
}
