// The portal serves what comes out of here: `dist/assets/*` under `/assets/` with an immutable cache, and it finds
// the entry script and its styles in `dist/.vite/manifest.json`. There is no page in this build: the page is the
// portal's, and works without any of this.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync, constants } from 'node:zlib'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vitest/config'

/** Writes `NAME.gz` beside each text asset, so that a small box never compresses the same bytes twice. */
function gzipBesideAssets(): Plugin {
  return {
    name: 'banyan-gzip',
    apply: 'build',
    async writeBundle(options, bundle) {
      for (const name of Object.keys(bundle)) {
        if (!/\.(js|css|svg|json)$/.test(name) || name.startsWith('.vite/')) continue
        const path = join(options.dir ?? 'dist', name)
        await writeFile(`${path}.gz`, gzipSync(await readFile(path), { level: constants.Z_BEST_COMPRESSION }))
      }
    },
  }
}

/** Vite names a style sheet that was asked for by URL with its full path; the binary must not know who built it. */
function manifestWithoutPaths(): Plugin {
  return {
    name: 'banyan-manifest',
    apply: 'build',
    enforce: 'post',
    async writeBundle(options) {
      const path = join(options.dir ?? 'dist', '.vite/manifest.json')
      const text = await readFile(path, 'utf8')
      await writeFile(path, text.split(`${import.meta.dirname}/`).join(''))
    },
  }
}

// A running box to develop against: `BANYAN_URL=http://127.0.0.1:8080 npm run dev`.
const box = process.env.BANYAN_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue(), gzipBesideAssets(), manifestWithoutPaths()],
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
  server: { proxy: { '/api': box } },
  build: {
    manifest: true,
    // The oldest phones that are still in hands: each of these runs ES modules, `fetch` streams and IndexedDB.
    target: ['chrome87', 'safari14', 'firefox78'],
    // Inlined fonts or images would need `data:` in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { app: 'src/main.ts' } },
  },
  test: { environment: 'jsdom', include: ['test/**/*.test.ts'] },
})
