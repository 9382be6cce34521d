// Fails the build when the app grows beyond what a member on a slow link should wait for.
// Figures are bytes after gzip. Over 2G-like hotspot edges (about 30 kB/s) the entry is there in under three seconds.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET = { entry: 70_000, css: 10_000, lazy: 35_000 }

const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))
const gzipped = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length

/** Every file the browser must have before the app can start: the entry and what it imports statically. */
function startFiles(key, seen = new Set()) {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const imported of manifest[key].imports ?? []) startFiles(imported, seen)
  return seen
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry)
const start = startFiles(entry)
const rows = []

rows.push(['entry JS', [...start].reduce((sum, key) => sum + gzipped(manifest[key].file), 0), BUDGET.entry])
const styles = new Set(Object.values(manifest).flatMap((chunk) => [...(chunk.css ?? []), ...(chunk.file.endsWith('.css') ? [chunk.file] : [])]))
rows.push(['CSS', [...styles].reduce((sum, file) => sum + gzipped(file), 0), BUDGET.css])
for (const [key, chunk] of Object.entries(manifest)) {
  if (!start.has(key) && chunk.file.endsWith('.js')) rows.push([`lazy ${chunk.name ?? key}`, gzipped(chunk.file), BUDGET.lazy])
}

let over = false
for (const [name, size, limit] of rows) {
  const bad = size > limit
  over ||= bad
  console.log(`${bad ? 'OVER ' : '  ok '} ${name.padEnd(24)} ${(size / 1000).toFixed(1).padStart(6)} kB gzip of ${limit / 1000}`)
}
if (over) {
  console.error('The web app is over its size budget: load less at the start, or move it into a lazy chunk.')
  process.exit(1)
}
