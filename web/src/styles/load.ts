// The app brings its own styles, and they take effect in the same step in which the app takes the page over: until
// then the plain page keeps its own look, and after that nothing of that look is left to disturb.

import url from './app.css?url'

/** Loads the style sheet without using it yet; gives the function that switches over. */
export function loadStyles(): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const link = document.createElement('link')
    link.rel = 'stylesheet'
    link.href = url
    link.media = 'not all'
    link.onload = () => {
      resolve(() => {
        link.media = 'all'
        for (const old of Array.from(document.querySelectorAll('link[rel="stylesheet"], style'))) {
          if (old !== link) old.remove()
        }
      })
    }
    link.onerror = () => reject(new Error('the style sheet could not be loaded'))
    document.head.appendChild(link)
  })
}
