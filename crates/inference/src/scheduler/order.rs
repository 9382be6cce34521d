//! In which order prompts are computed: the one with the least left to compute first, but nobody is overtaken for ever.
//!
//! A sequence's key is the time of its arrival plus [`PATIENCE`] times the tokens it has to compute, both counted in
//! computed tokens; the smallest key goes first. So a short question that comes while a long prompt is computed goes
//! ahead, as long as it comes within the time the long one is asked to be patient; afterwards nobody overtakes it.

use super::SeqId;

/// So many times the work of its own prompt a sequence may be made to wait for shorter ones.
pub(super) const PATIENCE: u64 = 4;

/// The key of a sequence that arrives when `work` tokens have been computed and has `tokens` to compute itself.
pub(super) fn key(work: u64, tokens: usize) -> u64 {
    work + PATIENCE * tokens as u64
}

/// A sequence that waits for a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) id: SeqId,
    /// Tokens to compute before it decodes.
    pub(super) tokens: usize,
    /// Of these, those that no cache is likely to have.
    pub(super) fresh: usize,
    pub(super) arrival: u64,
    pub(super) key: u64,
}

/// Those who wait, ordered by key and then by arrival. Some hundreds at most, so a sorted list is the simplest thing.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Entry>);

impl Waiting {
    /// Takes an entry in and gives its place (1 = next).
    pub(super) fn push(&mut self, entry: Entry) -> usize {
        // The next one stands at the end, where it is taken without moving the others.
        let at = self.0.partition_point(|e| (e.key, e.arrival) > (entry.key, entry.arrival));
        self.0.insert(at, entry);
        self.0.len() - at
    }

    pub(super) fn first(&self) -> Option<&Entry> {
        self.0.last()
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.0.pop()
    }

    pub(super) fn remove(&mut self, id: SeqId) -> bool {
        let before = self.0.len();
        self.0.retain(|e| e.id != id);
        self.0.len() != before
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
