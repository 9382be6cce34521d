// A QR code as the box draws it, without trusting its SVG as a page: only its size and its path are taken.

export interface QrDrawing {
  viewBox: string
  paths: string[]
}

const NUMBERS = /^[\d\s.,-]+$/
const PATH = /^[\d\s.,MmHhVvLlZz-]+$/

export function qrDrawing(svg: string | undefined): QrDrawing | null {
  if (!svg) return null
  const root = new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement
  const size = [root.getAttribute('width'), root.getAttribute('height')].map((length) => Number.parseFloat(length ?? ''))
  const viewBox = root.getAttribute('viewBox') ?? (size.every(Number.isFinite) ? `0 0 ${size[0]} ${size[1]}` : '')
  const paths = Array.from(root.getElementsByTagName('path'), (path) => path.getAttribute('d') ?? '').filter((d) => PATH.test(d))
  return NUMBERS.test(viewBox) && paths.length > 0 ? { viewBox, paths } : null
}
