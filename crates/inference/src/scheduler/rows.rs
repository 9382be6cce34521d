//! Who holds which row of the slab, and how much memory.

use super::{Move, SeqId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Prefilling,
    Decoding,
}

/// A sequence that holds a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occupant {
    pub(super) id: SeqId,
    pub(super) phase: Phase,
    /// Tokens to compute before it decodes.
    pub(super) target: usize,
    /// Of these, those that no cache had.
    pub(super) fresh: usize,
    /// Tokens the row holds.
    pub(super) len: usize,
    pub(super) arrival: u64,
    pub(super) key: u64,
}

impl Occupant {
    /// Tokens that count as held: a prompt needs all of its memory soon.
    fn held(&self) -> usize {
        self.len.max(self.target)
    }
}

/// All rows. Those that decode are kept a prefix, since a run binds rows `[0..n)` and pays for each of them: when a row in
/// the middle leaves, the highest decoding row moves into the hole. A prefilling row is never moved; if it sits below a
/// decoding one it is an idle row of the decode run until its prompt is done.
#[derive(Debug)]
pub(super) struct Rows {
    slots: Vec<Option<Occupant>>,
    /// Tokens for which a row has memory from the system, whoever held it.
    touched: Vec<usize>,
}

impl Rows {
    pub(super) fn new(slots: usize) -> Rows {
        Rows { slots: vec![None; slots], touched: vec![0; slots] }
    }

    pub(super) fn put(&mut self, slot: usize, occupant: Occupant) {
        self.touched[slot] = self.touched[slot].max(occupant.held());
        self.slots[slot] = Some(occupant);
    }

    pub(super) fn remove(&mut self, id: SeqId) -> bool {
        let Some(slot) = self.slots.iter().position(|o| o.is_some_and(|o| o.id == id)) else { return false };
        self.take(slot);
        true
    }

    fn take(&mut self, slot: usize) -> Option<Occupant> {
        let occupant = self.slots[slot].take()?;
        self.touched[slot] = self.touched[slot].max(occupant.held());
        Some(occupant)
    }

    /// Takes away the row of the sequence that came last.
    pub(super) fn take_last_arrived(&mut self) -> Option<Occupant> {
        let slots = self.slots.iter().enumerate().filter_map(|(slot, o)| o.map(|o| (o.arrival, slot)));
        let (_, slot) = slots.max()?;
        self.take(slot)
    }

    pub(super) fn get_mut(&mut self, id: SeqId) -> Option<&mut Occupant> {
        self.slots.iter_mut().flatten().find(|o| o.id == id)
    }

    /// The lowest free row.
    pub(super) fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    pub(super) fn running(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    pub(super) fn decoding(&self) -> usize {
        self.slots.iter().flatten().filter(|o| o.phase == Phase::Decoding).count()
    }

    /// Tokens that those who hold a row need or have.
    pub(super) fn held(&self) -> usize {
        self.slots.iter().flatten().map(Occupant::held).sum()
    }

    pub(super) fn prefilling(&self) -> impl Iterator<Item = &Occupant> {
        self.slots.iter().flatten().filter(|o| o.phase == Phase::Prefilling)
    }

    /// The prefilling row that comes after `last` in the order of keys and arrivals.
    pub(super) fn next_prefilling(&self, last: Option<(u64, u64)>) -> Option<(usize, Occupant)> {
        let rows = self.slots.iter().enumerate().filter_map(|(slot, o)| o.map(|o| (slot, o)));
        rows.filter(|(_, o)| {
            o.phase == Phase::Prefilling && last.is_none_or(|last| (o.key, o.arrival) > last)
        })
        .min_by_key(|(_, o)| (o.key, o.arrival))
    }

    /// The rows of a decode run: all up to the highest decoding one.
    pub(super) fn front(&self) -> impl Iterator<Item = Option<Occupant>> {
        self.slots[..self.decode_rows()].iter().copied()
    }

    /// Moves the highest decoding rows into free rows below them.
    pub(super) fn compact(&mut self, moves: &mut Vec<Move>) {
        loop {
            let top = self.decode_rows();
            let Some(hole) = self.slots[..top].iter().position(Option::is_none) else { return };
            let from = top - 1;
            let Some(occupant) = self.take(from) else { return };
            moves.push(Move { from, to: hole, tokens: occupant.len });
            self.put(hole, occupant);
        }
    }

    /// Whether free row `slot` has so much more memory than a prompt of `tokens` needs that it is better given back: kept, each
    /// row would come to have what its longest tenant ever needed. The caller gives it back.
    pub(super) fn is_oversized(&mut self, slot: usize, tokens: usize) -> bool {
        let oversized = self.touched[slot] > 2 * tokens;
        if oversized {
            self.touched[slot] = 0;
        }
        oversized
    }

    /// Gives back the memory of free rows. That costs a row's next tenant a thousandth of what computing its tokens costs, and
    /// keeps the memory in use what the conversations under way need.
    pub(super) fn release(&mut self, releases: &mut Vec<usize>) {
        for (slot, touched) in self.touched.iter_mut().enumerate() {
            match &self.slots[slot] {
                Some(o) => *touched = (*touched).max(o.held()),
                None if *touched > 0 => {
                    *touched = 0;
                    releases.push(slot);
                }
                None => {}
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_free(&self, slot: usize) -> bool {
        self.slots[slot].is_none()
    }

    #[cfg(test)]
    pub(super) fn prefills(&self, slot: usize) -> bool {
        self.slots[slot].is_some_and(|o| o.phase == Phase::Prefilling)
    }

    /// One more than the highest decoding slot.
    fn decode_rows(&self) -> usize {
        self.slots
            .iter()
            .rposition(|o| o.is_some_and(|o| o.phase == Phase::Decoding))
            .map_or(0, |slot| slot + 1)
    }
}
