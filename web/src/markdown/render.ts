// Markdown to HTML that may stand on the page. The text comes from a model, and a model repeats what it has read: it
// is hostile until proven otherwise. Two walls: micromark escapes every HTML tag and drops dangerous protocols, and
// DOMPurify then lets through only the elements and attributes that markdown itself can make.

import DOMPurify from 'dompurify'
import { micromark } from 'micromark'
import { gfmTable, gfmTableHtml } from 'micromark-extension-gfm-table'

const TAGS = (
  'p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del a table thead tbody tr th td'
).split(' ')

const OPTIONS = {
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ['href', 'start', 'align', 'rel', 'title'],
  // A link may lead to the web, to a mail or phone programme, or to a place on this box.
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|tel:|\/(?!\/)|#)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
}

const purifier = DOMPurify(window)

purifier.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') node.setAttribute('rel', 'noopener noreferrer nofollow')
})

/** Images would be fetched from wherever the model says: the picture's words stay, the picture does not. */
const withoutImages = { disable: { null: ['labelStartImage'] } }

export function renderMarkdown(text: string): string {
  const html = micromark(text, {
    allowDangerousHtml: false,
    allowDangerousProtocol: false,
    extensions: [gfmTable(), withoutImages],
    htmlExtensions: [gfmTableHtml()],
  })
  return purifier.sanitize(html, OPTIONS)
}
