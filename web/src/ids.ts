/** A random id of 96 bits. `crypto.randomUUID` needs a secure context, which a hotspot's plain http is not. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
