// Light, dark, or as the device is. The choice is an attribute on the root element; tokens.css does the rest.

import { ref } from 'vue'
import { readItem, writeItem } from './storage'

export const THEMES = ['auto', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

export const theme = ref<Theme>('auto')

export function setTheme(chosen: Theme): void {
  theme.value = chosen
  if (chosen === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = chosen
  writeItem('theme', chosen === 'auto' ? null : chosen)
}

export function restoreTheme(): void {
  const kept = readItem('theme')
  setTheme(THEMES.find((one) => one === kept) ?? 'auto')
}
