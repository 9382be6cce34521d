//! What an answer rests on: a prompt with numbered passages, and afterwards the look at which sentence they bear out.
//!
//! ```text
//!   question ─▶ query ─▶ (search) ─▶ covers? ─▶ assemble ─▶ (the model writes) ─▶ citations, check
//! ```
//!
//! Everything here is pure: texts in, values out; no store, no clock, no network.
//!
//! **What the check is.** A heuristic, and nobody should take it for more. It compares words: a sentence is *supported*
//! when most of its weighty words, all of its numbers and its "not" stand in one sentence of a passage or beside each
//! other in it. It knows nothing of meaning beyond what an embedding adds, where there is one. So it takes a paraphrase
//! in other words for weak, and a sentence that puts the words of a passage together wrongly can pass for supported.
//! It is there because a small model forgets to cite, or cites what does not say it: a citation that the model wrote
//! counts only where the check finds at least something behind it, and a sentence without one is attributed all the
//! same.
//!
//! **What quoting does.** A passage is one line behind its number, without line breaks and without markers of its own, so
//! a text in the library cannot pretend to be another passage, the question or an instruction of the box. What it says
//! is still read by the model, and a sentence such as "ignore what you were told" may sway it, a small one more. That
//! costs an answer and no more: what a model says sets nothing in motion on a box, and the community's rules look at
//! the answer afterwards. The review desk is where such texts are kept out.
//!
//! ```
//! use banyan_knowledge::ground;
//!
//! let marks = ground::Citations::of("Boil it for a minute [1, 2].", 3);
//! assert_eq!(marks[1], ground::Piece::Marker { text: "[1, 2]".into(), numbers: vec![1, 2] });
//! ```

mod assemble;
mod check;
mod cite;
mod covers;
mod query;
mod sentences;
#[cfg(test)]
mod tests;
mod themes;
mod words;

pub use self::assemble::{Grounding, Numbered, assemble};
pub use self::check::{Cites, SentenceSupport, Support, check};
pub use self::cite::{Citations, Piece};
pub use self::covers::covers;
pub use self::query::query;
pub use self::sentences::sentences;
pub use self::themes::{Cluster, themes};
