//! Tests of whole archives.

mod hostile;
mod reading;
mod shelf;
