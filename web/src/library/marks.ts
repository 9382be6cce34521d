// Words of a text that are marked: what was looked for in a result, what an answer cites in a document.

export interface Piece {
  text: string
  marked: boolean
}

/** Cuts a text at these ranges (UTF-16, in any order; what lies outside or overlaps is left out). */
export function pieces(text: string, ranges: readonly (readonly [number, number])[]): Piece[] {
  const found: Piece[] = []
  const add = (from: number, to: number, marked: boolean): void => {
    if (to > from) found.push({ text: text.slice(from, to), marked })
  }
  let at = 0
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const begin = Math.max(from, at)
    const end = Math.min(to, text.length)
    if (end <= begin) continue
    add(at, begin, false)
    add(begin, end, true)
    at = end
  }
  add(at, text.length, false)
  return found
}

export interface Group<T> {
  /** What stands together: items make a list, rows a table. */
  kind: 'item' | 'row' | 'other'
  blocks: T[]
}

/** Neighbours that belong together, so that a list is heard as one. */
export function grouped<T extends { kind: string }>(blocks: readonly T[]): Group<T>[] {
  const groups: Group<T>[] = []
  for (const block of blocks) {
    const kind = block.kind === 'item' || block.kind === 'row' ? block.kind : 'other'
    const last = groups[groups.length - 1]
    if (last && last.kind === kind && kind !== 'other') last.blocks.push(block)
    else groups.push({ kind, blocks: [block] })
  }
  return groups
}

/** The cells of a row. */
export const cells = (text: string): string[] => text.split(' | ')
