//! Sources, tokenizers, templates and packs: what is right is read right, and what is wrong is refused by name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod adapters;
mod dequant;
mod gguf;
mod hf;
mod packs;
mod template;
mod tokenizer;
