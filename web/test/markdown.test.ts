import { describe, expect, it } from 'vitest'
import { blocks } from '../src/markdown/blocks'
import { renderMarkdown } from '../src/markdown/render'

function dom(markdown: string): HTMLElement {
  const place = document.createElement('div')
  place.innerHTML = renderMarkdown(markdown)
  return place
}

describe('markdown', () => {
  it.each([
    ['paragraphs and emphasis', 'a *b* **c**', '<p>a <em>b</em> <strong>c</strong></p>'],
    ['lists', '1. a\n2. b', '<ol>\n<li>a</li>\n<li>b</li>\n</ol>'],
    ['code, as it was written', '```\n<b>&\n```', '<pre><code>&lt;b&gt;&amp;\n</code></pre>'],
    ['quotes', '> a', '<blockquote>\n<p>a</p>\n</blockquote>'],
  ])('makes %s', (_, markdown, html) => expect(renderMarkdown(markdown).trim()).toBe(html))

  it('makes tables', () => {
    expect(dom('| a | b |\n|---|---|\n| 1 | 2 |').querySelectorAll('table td')).toHaveLength(2)
  })

  it('lets a link lead away only without handing this page over', () => {
    const link = dom('[a](https://example.org/x)').querySelector('a')!
    expect(link.getAttribute('href')).toBe('https://example.org/x')
    expect(link.rel).toContain('noopener')
    expect(link.rel).toContain('noreferrer')
  })
})

describe('hostile markdown', () => {
  const HOSTILE = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<svg onload=alert(1)>',
    '<svg><script>alert(1)</script></svg>',
    '<iframe src="javascript:alert(1)"></iframe>',
    '<a href="javascript:alert(1)">x</a>',
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](java&#x0A;script:alert(1))',
    '[x](&#106;avascript:alert(1))',
    '[x](vbscript:msgbox(1))',
    '[x](data:text/html;base64,PHNjcmlwdD4=)',
    '[x](//evil.example/a)',
    '[x](file:///etc/passwd)',
    '<javascript:alert(1)>',
    '![x](https://evil.example/pixel.png)',
    '![x](javascript:alert(1))',
    '![x][r]\n\n[r]: https://evil.example/pixel.png',
    '[x][r]\n\n[r]: javascript:alert(1)',
    '[![x](https://evil.example/p.png)](javascript:alert(1))',
    '<style>*{background:url(https://evil.example/)}</style>',
    '<link rel=stylesheet href=https://evil.example/a.css>',
    '<meta http-equiv=refresh content="0;url=https://evil.example">',
    '<base href="https://evil.example/">',
    '<form action="https://evil.example"><input name=password></form>',
    '<object data="https://evil.example/x.swf"></object>',
    '<p style="position:fixed;inset:0">over everything</p>',
    '<div id="app" class="app">clobber</div>',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<details open ontoggle=alert(1)>',
    '<video><source onerror=alert(1)></video>',
    '<b onmouseover=alert(1)>x</b>',
    '`<img src=x onerror=alert(1)>`',
    '| a |\n|---|\n| <img src=x onerror=alert(1)> |',
    '[x](https://example.org "\\" onclick=alert(1) \\"")',
    '<a href="https://example.org" target="_top">x</a>',
    '\u0000<scr\u0000ipt>alert(1)</scr\u0000ipt>',
  ]

  it.each(HOSTILE)('can neither run nor load nor dress up: %s', (markdown) => {
    const place = dom(markdown)
    expect(
      place.querySelector('script,img,svg,math,iframe,object,embed,style,link,meta,base,form,input,video,audio,source,details,template'),
    ).toBeNull()
    for (const element of Array.from(place.querySelectorAll('*'))) {
      for (const { name, value } of Array.from(element.attributes)) {
        expect(['href', 'start', 'align', 'rel', 'title']).toContain(name)
        if (name === 'href') expect(value).toMatch(/^(https?:|mailto:|tel:|\/(?!\/)|#|$)/)
      }
    }
  })

  it('keeps the words of a picture that it does not show', () => {
    expect(dom('![a map of the well](https://evil.example/p.png)').textContent).toContain('a map of the well')
  })

  it('ends in good time on nested nonsense', () => {
    const began = performance.now()
    renderMarkdown('['.repeat(2_000))
    renderMarkdown('*a '.repeat(2_000))
    renderMarkdown(`${'> '.repeat(200)}x`)
    expect(performance.now() - began).toBeLessThan(5_000)
  })
})

describe('the blocks of a growing answer', () => {
  it.each([
    ['paragraphs', 'a\n\nb\n\nc', 3],
    ['a list with blank lines stays one', '1. a\n\n2. b\n\n   more\n\nend', 2],
    ['a fence with blank lines stays one', 'a\n\n```\nx\n\ny\n```\n\nb', 3],
    ['an open fence swallows the rest', '```\nx\n\ny\n\nz', 1],
    ['a longer fence is not closed by a shorter one', '````\n```\n\na\n````\n\nb', 2],
    ['nothing', '', 1],
  ])('%s', (_, text, count) => {
    expect(blocks(text)).toHaveLength(count)
    expect(blocks(text).join('\n')).toBe(text)
  })

  it('that are finished do not change while the answer grows', () => {
    const text = 'First.\n\n1. a\n\n2. b\n\nThen:\n\n```\ncode\n\nmore\n```\n\nEnd.'
    for (let at = 1; at < text.length; at++) {
      const before = blocks(text.slice(0, at)).slice(0, -1)
      expect(blocks(text).slice(0, before.length)).toEqual(before)
    }
  })
})
