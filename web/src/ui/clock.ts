import { onBeforeUnmount, ref, watch, type Ref } from 'vue'

/** The time, which goes on each second while somebody needs it. */
export function useClock(needed: () => boolean): Ref<number> {
  const now = ref(Date.now())
  let timer: ReturnType<typeof setInterval> | undefined
  watch(
    needed,
    (yes) => {
      clearInterval(timer)
      now.value = Date.now()
      if (yes) timer = setInterval(() => (now.value = Date.now()), 1000)
    },
    { immediate: true },
  )
  onBeforeUnmount(() => clearInterval(timer))
  return now
}
