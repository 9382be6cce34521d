// The phone is looked at again, has its network again, or is put away.

/** Calls back at each such change; gives the way to stop that. */
export function wake(call: (what: 'visible' | 'hidden' | 'online') => void): () => void {
  const looked = (): void => call(document.visibilityState === 'visible' ? 'visible' : 'hidden')
  const online = (): void => call('online')
  document.addEventListener('visibilitychange', looked)
  window.addEventListener('online', online)
  return () => {
    document.removeEventListener('visibilitychange', looked)
    window.removeEventListener('online', online)
  }
}
