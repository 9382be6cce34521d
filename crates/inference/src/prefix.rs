//! Which beginnings of prompts are in the pool, and which leave it: a pure index; the keys and values themselves are
//! [`crate::kv`]'s.
//!
//! A prompt is cut into blocks of [`BLOCK`] tokens. A block is known by a hash over everything before it, its own tokens,
//! the adapter, and with whom it may be shared; so equal keys mean equal keys and values, and a chain of known blocks from the
//! beginning on is a prefix that need not be computed.
//!
//! **Whose is what.** Tokens of the shared beginning ([`CacheScope::shared`]: the policy, passages of the library) are found by
//! everyone. A block with even one token beyond it belongs to the request's private scope, and without one is not kept. That
//! is not only about the text, which no block gives away: an answer that begins sooner tells whoever asks that the same was asked
//! before. Within the private scope only the member's own conversation is found again.
//!
//! **What leaves.** When the pool is full, the block of least value goes: value is uses times the tokens that would have to be
//! computed again, aged by what has left before it (GreedyDual-Size with frequency, Cherkasova 1998, all blocks being of one size).
//! Only the end of a chain leaves, since the rest of it would be unreachable.
//!
//! [`CacheScope::shared`]: crate::engine::CacheScope::shared

#[cfg(test)]
mod tests;

use crate::engine::CacheScope;
use crate::kv::BLOCK;
use std::collections::HashMap;

/// Names a block: the first 128 bits of a BLAKE3 hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 16]);

/// The keys of a prompt's blocks, made once and used often.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// The keys of `tokens`, as far as they may be kept at all.
    pub fn of(tokens: &[u32], adapter: u32, scope: CacheScope) -> Keys {
        let mut keys = Keys::default();
        keys.extend(tokens, adapter, scope);
        keys
    }

    /// Adds the keys of what `tokens` has beyond the blocks that are named already.
    pub fn extend(&mut self, tokens: &[u32], adapter: u32, scope: CacheScope) {
        for (i, block) in tokens.chunks_exact(BLOCK).enumerate().skip(self.0.len()) {
            let is_shared = (i + 1) * BLOCK <= scope.shared;
            let owner = match (is_shared, scope.private) {
                (true, _) => None,
                (false, Some(owner)) => Some(owner),
                (false, None) => return,
            };
            let mut hash = blake3::Hasher::new();
            hash.update(self.0.last().map_or(&[0; 16], |key| &key.0));
            hash.update(&adapter.to_le_bytes());
            hash.update(&[u8::from(is_shared)]);
            hash.update(&owner.unwrap_or(0).to_le_bytes());
            for token in block {
                hash.update(&token.to_le_bytes());
            }
            let mut key = [0; 16];
            key.copy_from_slice(&hash.finalize().as_bytes()[..16]);
            self.0.push(Key(key));
        }
    }

    /// How many blocks are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no block is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A block that is to be copied: token `start` of the row, number `block` of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    /// First token in the row.
    pub start: usize,
    /// Place in the pool.
    pub block: usize,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    key: Key,
    parent: Option<usize>,
    children: u32,
    uses: u32,
    /// Place in its chain: what stands further back costs more to compute, and is reached more rarely.
    depth: u32,
    value: f64,
}

/// What the pool holds.
#[derive(Debug)]
pub struct PrefixIndex {
    blocks: Vec<Option<Block>>,
    by_key: HashMap<Key, usize>,
    free: Vec<usize>,
    /// The value of the last block that left: what comes later must be worth more than what was thrown away.
    floor: f64,
}

impl PrefixIndex {
    /// An index of an empty pool of `blocks` blocks.
    pub fn new(blocks: usize) -> PrefixIndex {
        PrefixIndex {
            blocks: vec![None; blocks],
            by_key: HashMap::with_capacity(blocks),
            free: (0..blocks).rev().collect(),
            floor: 0.0,
        }
    }

    /// How many tokens of a prompt the pool has; nothing changes.
    pub fn peek(&self, keys: &Keys) -> usize {
        keys.0.iter().take_while(|key| self.by_key.contains_key(key)).count() * BLOCK
    }

    /// The blocks that begin a prompt of `tokens` tokens, in order. At least one token is left to compute: out of it comes the
    /// answer's first. Each block counts as used.
    pub fn find(&mut self, keys: &Keys, tokens: usize, found: &mut Vec<Copy>) {
        found.clear();
        for (i, key) in keys.0.iter().enumerate() {
            let Some(block) = self.by_key.get(key).copied().filter(|_| (i + 1) * BLOCK < tokens) else {
                return;
            };
            self.used(block);
            found.push(Copy { start: i * BLOCK, block });
        }
    }

    /// Takes in the first `tokens` tokens of a prompt that stand in a row. Gives the blocks that are to be copied from there.
    pub fn insert(&mut self, keys: &Keys, tokens: usize, copies: &mut Vec<Copy>) {
        copies.clear();
        let mut parent = None;
        for (i, key) in keys.0.iter().enumerate().take(tokens / BLOCK) {
            if let Some(known) = self.by_key.get(key) {
                parent = Some(*known);
                continue;
            }
            let Some(block) = self.free.pop().or_else(|| self.evict(parent)) else { return };
            if let Some(parent) = parent.and_then(|p: usize| self.blocks[p].as_mut()) {
                parent.children += 1;
            }
            self.blocks[block] =
                Some(Block { key: *key, parent, children: 0, uses: 0, depth: i as u32 + 1, value: 0.0 });
            self.used(block);
            self.by_key.insert(*key, block);
            copies.push(Copy { start: i * BLOCK, block });
            parent = Some(block);
        }
    }

    /// Blocks in use.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether the pool is empty.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    fn used(&mut self, block: usize) {
        let floor = self.floor;
        let Some(block) = &mut self.blocks[block] else { return };
        block.uses = block.uses.saturating_add(1);
        block.value = floor + f64::from(block.uses) * (1.0 + f64::from(block.depth).sqrt() / 16.0);
    }

    /// Throws out the least valuable end of a chain, but not `spared`, and gives its place. `None` when there is none.
    fn evict(&mut self, spared: Option<usize>) -> Option<usize> {
        let ends = self.blocks.iter().enumerate().filter_map(|(i, b)| b.as_ref().map(|b| (i, b)));
        let ends = ends.filter(|(i, b)| b.children == 0 && Some(*i) != spared);
        let (place, block) =
            ends.min_by(|(_, a), (_, b)| a.value.total_cmp(&b.value)).map(|(i, b)| (i, *b))?;
        self.floor = self.floor.max(block.value);
        self.by_key.remove(&block.key);
        self.blocks[place] = None;
        if let Some(parent) = block.parent.and_then(|p| self.blocks[p].as_mut()) {
            parent.children -= 1;
        }
        Some(place)
    }
}
