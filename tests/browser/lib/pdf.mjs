// A PDF as a member may have one: some pages of plain text, written here so that the tests need no other program.

const LINES = 44
const WIDTH = 84

/** One page for each list of paragraphs; gives the file's bytes. */
export function pdf(title, pages) {
  const objects = []
  const add = (text) => objects.push(text)
  const first = 4
  add('<< /Type /Catalog /Pages 2 0 R >>')
  add(`<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, at) => `${first + 2 * at} 0 R`).join(' ')}] >>`)
  add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>')
  pages.forEach((paragraphs, at) => {
    const stream = `BT /F1 11 Tf 50 780 Td\n${lines(paragraphs).map((line) => `(${line.replace(/[\\()]/g, '\\$&')}) Tj 0 -15 Td`).join('\n')}\nET`
    add(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${first + 2 * at + 1} 0 R >>`)
    add(`<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`)
  })
  add(`<< /Title (${title}) >>`)
  let file = '%PDF-1.4\n'
  const places = objects.map((object, at) => {
    const place = file.length
    file += `${at + 1} 0 obj\n${object}\nendobj\n`
    return place
  })
  const table = file.length
  const rows = places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('')
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}trailer << /Size ${objects.length + 1} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${table}\n%%EOF\n`
  return Buffer.from(file, 'latin1')
}

/** Wrapped at words, with an empty line between paragraphs. */
function lines(paragraphs) {
  const found = paragraphs.flatMap((paragraph) => {
    const wrapped = ['']
    for (const word of paragraph.split(' ')) {
      const last = wrapped.at(-1)
      if (last.length + word.length >= WIDTH) wrapped.push(word)
      else wrapped[wrapped.length - 1] = last === '' ? word : `${last} ${word}`
    }
    return [...wrapped, '']
  })
  if (found.length > LINES) throw new Error(`a page of this PDF has ${found.length} lines, more than ${LINES}`)
  return found
}
