//! `cargo xtask bench serve`: a hundred members at once, beside llama.cpp's server with the same file.
//!
//! Map: [`workload`] is what members ask, [`client`] asks one question, [`members`] are the loops, [`stretch`] measures
//! one of them, [`figures`] and [`processes`] are what comes out.

pub(crate) mod client;
pub(crate) mod figures;
pub(crate) mod members;
pub(crate) mod processes;
pub(crate) mod stretch;
pub(crate) mod workload;
