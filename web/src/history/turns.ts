export interface Turn {
  role: 'user' | 'assistant'
  content: string
}

/** The turns that the plain page carries as JSON; nothing when it is not what we expect. */
export function parseTurns(json: string): Turn[] {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return []
  }
  if (!Array.isArray(value)) return []
  return value.filter(
    (one: Partial<Turn> | null): one is Turn =>
      (one?.role === 'user' || one?.role === 'assistant') && typeof one.content === 'string',
  )
}
