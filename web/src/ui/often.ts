import { onBeforeUnmount } from 'vue'

/** Does something again and again while the page is looked at and there is need; the next time comes after the last is over. */
export function useOften(everyMs: number, needed: () => boolean, what: () => Promise<unknown>): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let left = false
  const plan = (): void => {
    if (!left) timer = setTimeout(look, everyMs)
  }
  const look = (): void => {
    if (needed() && document.visibilityState === 'visible') void what().finally(plan)
    else plan()
  }
  plan()
  onBeforeUnmount(() => {
    left = true
    clearTimeout(timer)
  })
}
