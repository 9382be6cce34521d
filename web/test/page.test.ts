import { beforeEach, describe, expect, it, vi } from 'vitest'
import { copyText } from '../src/clipboard'
import { community } from '../src/community/name'
import { newId } from '../src/ids'
import { hashOf, parseRoute } from '../src/route'
import { draft, readItem, writeItem } from '../src/storage'
import { findServerPage, takeOver } from '../src/takeover'

beforeEach(() => {
  localStorage.clear()
  document.body.innerHTML = `
    <header>Banyan</header>
    <main id="app"><form method="post" action="/chat">
      <input type="hidden" name="history" value='[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]'>
      <textarea name="question"></textarea>
    </form></main>
    <footer>foot</footer>`
})

function mount(root: HTMLElement): void {
  root.innerHTML = `<main><textarea name="question"></textarea></main>`
  root.querySelector('textarea')!.value = draft.read(null)
}

describe('taking the plain page over', () => {
  it('keeps the question that was already typed, and where the cursor stood', () => {
    const field = document.querySelector('textarea')!
    field.value = 'How do I st'
    field.focus()
    field.setSelectionRange(4, 6)
    takeOver(findServerPage()!, null, mount)
    const mine = document.querySelector('textarea')!
    expect(mine).not.toBe(field)
    expect(mine.value).toBe('How do I st')
    expect(document.activeElement).toBe(mine)
    expect([mine.selectionStart, mine.selectionEnd]).toEqual([4, 6])
  })

  it('leaves one page, not two', () => {
    takeOver(findServerPage()!, null, mount)
    expect(document.querySelectorAll('#app')).toHaveLength(1)
    expect(document.querySelectorAll('main')).toHaveLength(1)
    expect(document.querySelector('footer')).toBeNull()
  })

  it('leaves the plain page as it is when the app cannot be drawn', () => {
    const broken = (): void => {
      throw new Error('broken')
    }
    expect(() => takeOver(findServerPage()!, null, broken)).toThrow('broken')
    expect(document.querySelector('main#app form')).not.toBeNull()
    expect(document.querySelector('footer')).not.toBeNull()
  })

  it('bears the name of the community whose box it is', () => {
    expect(community.value).toBe('Banyan')
    document.getElementById('app')!.dataset.community = 'Mto wa Mbu'
    findServerPage()
    expect(community.value).toBe('Mto wa Mbu')
  })

  it('takes over what was said', () => {
    expect(findServerPage()!.turns()).toHaveLength(2)
  })
})

describe('drafts', () => {
  it('are kept for each conversation, and gone when they are empty', () => {
    draft.write('a', 'one')
    draft.write(null, 'two')
    expect([draft.read('a'), draft.read(null), draft.read('b')]).toEqual(['one', 'two', ''])
    draft.write('a', '  ')
    expect(readItem('draft.a')).toBeNull()
  })

  it('last as long as the page where nothing can be stored', () => {
    const set = vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    writeItem('x', 'y')
    expect(readItem('x')).toBe('y')
    set.mockRestore()
  })
})

describe('places in the app', () => {
  it.each([
    '#/',
    '#/c/0af3',
    '#/status',
    '#/about',
    '#/start?code=7K2QF-0XH4M',
    '#/join?code=7K2QF-0XH4M',
    '#/sign-in',
    '#/assembly',
    '#/assembly/new',
    '#/assembly/new?kind=topic',
    '#/p/p-0123456789',
    '#/ledger',
    '#/ledger/12',
    '#/moderation',
  ])('%s is there and back', (hash) => expect(hashOf(parseRoute(hash))).toBe(hash))
  it('what is put into an address does not become a sentence in the page', () => {
    expect(parseRoute('#/join?code=Your%20box%20is%20broken')).toEqual({ view: 'join', conversation: null })
    expect(parseRoute('#/p/%3Cscript%3E')).toEqual({ view: 'assembly', conversation: null })
  })
  it.each(['', '#', '#x', '#/c/../../etc', '#/c/<script>', '#/unknown'])('%j is the empty conversation', (hash) =>
    expect(parseRoute(hash)).toEqual({ view: 'chat', conversation: null }),
  )
})

describe('on plain http', () => {
  it('ids need no secure context, and differ', () => {
    vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) })
    expect(newId()).toMatch(/^[0-9a-f]{24}$/)
    expect(newId()).not.toBe(newId())
    vi.unstubAllGlobals()
  })

  it('copying uses a hidden field, and puts the focus back', async () => {
    const field = document.querySelector('textarea')!
    field.focus()
    let copied = ''
    document.execCommand = () => {
      copied = document.querySelector<HTMLTextAreaElement>('textarea.visually-hidden')!.value
      return true
    }
    expect(await copyText('the answer')).toBe(true)
    expect(copied).toBe('the answer')
    expect(document.activeElement).toBe(field)
    expect(document.querySelector('.visually-hidden')).toBeNull()
  })

  it('a browser that refuses to copy is told apart', async () => {
    document.execCommand = () => false
    expect(await copyText('x')).toBe(false)
  })
})
