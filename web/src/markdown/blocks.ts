// An answer grows by a few letters many times a second. Cutting it into blocks lets the finished ones stay as they
// are on the page (a selection survives, a slow phone keeps up) and only the last one is rendered again.

const FENCE = /^ {0,3}(`{3,}|~{3,})/
/** A line that may belong to what stands before the blank line: indented, a list item, a quote, a table row. */
const CONTINUES = /^(\s|[-+*>|]|\d{1,9}[.)])/
/** The last line, still growing: digits that may yet become a list item's number. */
const MAY_CONTINUE = /^\d{1,9}$/

/** Cuts at blank lines that surely end a block; never inside a code fence. Joined by "\n" the blocks are the text. */
export function blocks(text: string): string[] {
  const found: string[] = []
  let current: string[] = []
  let fence: string | null = null
  const lines = text.split('\n')
  lines.forEach((line, at) => {
    const mark = FENCE.exec(line)?.[1]
    if (fence === null) {
      const before = current[current.length - 1]
      const open = CONTINUES.test(line) || (at === lines.length - 1 && MAY_CONTINUE.test(line))
      if (before !== undefined && before.trim() === '' && line.trim() !== '' && !open) {
        found.push(current.join('\n'))
        current = []
      }
      if (mark !== undefined) fence = mark
    } else if (mark !== undefined && mark[0] === fence[0] && mark.length >= fence.length && line.trim() === mark) {
      fence = null
    }
    current.push(line)
    if (at === lines.length - 1) found.push(current.join('\n'))
  })
  return found
}
