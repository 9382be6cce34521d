// Small settings and drafts: localStorage, and memory where a mini-browser has none or refuses.

const memory = new Map<string, string>()
const PREFIX = 'banyan.'

export function readItem(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key) ?? memory.get(key) ?? null
  } catch {
    return memory.get(key) ?? null
  }
}

export function writeItem(key: string, value: string | null): void {
  if (value === null) memory.delete(key)
  else memory.set(key, value)
  try {
    if (value === null) localStorage.removeItem(PREFIX + key)
    else localStorage.setItem(PREFIX + key, value)
  } catch {
    // Full or forbidden: the memory copy lasts as long as the page.
  }
}

/** The question that is being written, for each conversation ("new" before there is one). */
export const draft = {
  read: (conversation: string | null): string => readItem(`draft.${conversation ?? 'new'}`) ?? '',
  write: (conversation: string | null, text: string): void =>
    writeItem(`draft.${conversation ?? 'new'}`, text.trim() === '' ? null : text),
}
