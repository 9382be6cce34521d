export interface components {
  schemas: {
    ChatMessage: { role: 'system' | 'user' | 'assistant'; content: string }
    ChatRequest: { messages: components['schemas']['ChatMessage'][]; temperature?: number | null; max_tokens?: number | null }
    ChatEvent:
      | { type: 'token'; text: string }
      | { type: 'notice'; text: string }
      | { type: 'done'; finish_reason: string; usage?: unknown }
      | { type: 'error'; code: string; message: string; retry: boolean }
    Status: {
      engine: { state: string; model?: string | null; reason?: string | null }
      version: string
      languages: string[]
    }
  }
}
