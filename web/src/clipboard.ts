/** Puts text on the clipboard. Over plain http there is no `navigator.clipboard`, so a hidden text field is copied. */
export async function copyText(text: string): Promise<boolean> {
  if (window.isSecureContext && navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text)
      return true
    } catch {
      // The member or the browser refused: the older way may still work.
    }
  }
  const field = document.createElement('textarea')
  const focused = document.activeElement
  field.value = text
  field.readOnly = true
  field.className = 'visually-hidden'
  // Inside an open dialog everything outside is inert, so the field has to be there.
  ;(document.querySelector('dialog[open]') ?? document.body).appendChild(field)
  field.select()
  field.setSelectionRange(0, text.length)
  let copied = false
  try {
    copied = document.execCommand('copy')
  } catch {
    copied = false
  }
  field.remove()
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true })
  return copied
}
