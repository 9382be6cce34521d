// The pages of the library, each fetched from the box when it is visited, with their words.

import { defineAsyncComponent, type Component } from 'vue'
import { loadCommunityWords, loadLibraryWords } from '../../i18n'
import type { LibraryView } from '../../library/place'
import FailedPage from '../community/FailedPage.vue'
import LoadingPage from '../community/LoadingPage.vue'

type Load = () => Promise<{ default: Component }>

function page(load: Load): Component {
  return defineAsyncComponent({
    // Forms and refusals have the words of the community's pages.
    loader: async () => (await Promise.all([load(), loadCommunityWords().then(loadLibraryWords)]))[0].default,
    loadingComponent: LoadingPage,
    errorComponent: FailedPage,
  })
}

export const PAGES: Record<LibraryView, Component> = {
  library: page(() => import('./LibraryView.vue')),
  collection: page(() => import('./CollectionPage.vue')),
  document: page(() => import('./DocumentPage.vue')),
  versions: page(() => import('./VersionsView.vue')),
  article: page(() => import('./DocumentPage.vue')),
  add: page(() => import('./AddView.vue')),
  shelf: page(() => import('./ShelfView.vue')),
  desk: page(() => import('./DeskView.vue')),
  mine: page(() => import('./MineView.vue')),
  questions: page(() => import('./QuestionsView.vue')),
  question: page(() => import('./QuestionView.vue')),
  unanswered: page(() => import('./UnansweredView.vue')),
}
