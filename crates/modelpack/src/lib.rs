//! Model packs: import GGUF and Hugging Face weights, build the ONNX graph, verify, open.
//!
//! A *pack* is a folder that ONNX Runtime and the tokenizers library can serve as it stands: `manifest.toml`,
//! one or two graphs, their weights, `tokenizer.json` and the chat template. Importing is the only way to make one.
//!
//! # What it promises
//! - **Bounded memory.** Weights stream in rows from the source to the pack; no tensor is held whole.
//! - **Nothing half-written.** A pack is built beside its place, synced, and renamed into it.
//! - **Hostile input is refused by name.** A source file, a manifest and a chat template are untrusted bytes: every
//!   count is checked before memory is asked for it, and the message names the field that is wrong and what to do.
//!
//! # What it refuses
//! It runs no model (that is `banyan-inference`), downloads nothing, and keeps no network code.
//!
//! # Example
//! ```no_run
//! use banyan_modelpack::{ImportOptions, Store, import};
//!
//! let store = Store::new("models");
//! let source = "SmolLM2-135M-Instruct.Q4_1.gguf".as_ref();
//! let pack = import(source, &store, &ImportOptions::default(), &mut |progress| println!("{progress:?}"))?;
//! pack.verify(&mut |done, total| println!("{done} of {total} bytes"))?;
//! println!("{} reads {} tokens", pack.manifest().name, pack.manifest().max_positions);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//! - [`source`]: reading weights: GGUF, Hugging Face folders, exact dequantization.
//! - [`tokenizer`], [`template`]: text to tokens, and conversations to text.
//! - [`graph`]: the ONNX graphs and their weights.
//! - [`adapter`]: LoRA adapters for a pack: import from PEFT's form, and the folder of all.
//! - [`import`](mod@import): a source becomes a pack.
//! - [`manifest`], [`pack`], [`store`]: what a pack says of itself, opening one, and the folder of all.

pub mod adapter;
pub mod graph;
pub mod import;
pub mod manifest;
pub mod pack;
mod shelf;
pub mod source;
pub mod store;
pub mod template;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
pub mod tokenizer;

pub use adapter::{Adapter, AdapterError, AdapterStore};
pub use import::{ImportError, ImportOptions, Progress, import};
pub use manifest::{Kind, Manifest};
pub use pack::{Pack, PackError};
pub use store::Store;
pub use template::{ChatTemplate, Message, TemplateError};
