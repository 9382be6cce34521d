//! The KV slab: all memory of all conversations, planned and taken once at start.
//!
//! For each layer one buffer of keys and one of values, `[slots, kv_heads, capacity, head_dim]` of f32. A slab and
//! not pages: ONNX Runtime's GroupQueryAttention on CPU reads rows of one stride (its PagedAttention has no CPU
//! kernel), and a run binds a range of rows by pointer, so a decode run over the first rows and a prefill of one row
//! work on the same memory without a copy. Rows that nobody has used yet cost address space and no memory, since the
//! system hands out zeroed pages on first touch.

use crate::error::EngineError;

/// The least tokens a row must have to be worth starting: a short question with a short answer.
const LEAST_CAPACITY: u64 = 256;

/// Rows that the budget makes shorter are a multiple of this many tokens.
const CAPACITY_STEP: u64 = 64;

/// The sizes of a slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvLayout {
    /// Transformer layers.
    pub layers: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head_dim: usize,
    /// Rows.
    pub slots: usize,
    /// Tokens of a row.
    pub capacity: usize,
}

impl KvLayout {
    /// Bytes that one token of one conversation takes: K and V, 4 bytes a number.
    pub fn bytes_per_token(&self) -> u64 {
        2 * 4 * (self.layers * self.kv_heads * self.head_dim) as u64
    }

    /// Bytes of the whole slab when every row is full.
    pub fn bytes(&self) -> u64 {
        self.bytes_per_token() * (self.slots * self.capacity) as u64
    }

    /// Fits the slab into `budget` bytes: first rows get shorter, down to a quarter of what was asked (but never under
    /// 1024 tokens while a row fewer would do), then there are fewer of them.
    pub fn fit(mut self, budget: u64) -> Result<KvLayout, EngineError> {
        let tokens = budget / self.bytes_per_token().max(1);
        let wanted = self.capacity as u64;
        let floor = (wanted / 4).max(1024).min(wanted);
        let slots = (tokens / floor.max(1)).clamp(1, self.slots.max(1) as u64);
        let mut capacity = (tokens / slots).min(wanted);
        if capacity < wanted && capacity > CAPACITY_STEP {
            capacity -= capacity % CAPACITY_STEP;
        }
        if capacity < LEAST_CAPACITY.min(wanted) {
            return Err(EngineError::Memory { budget: budget >> 20, tokens, least: LEAST_CAPACITY });
        }
        self.slots = slots as usize;
        self.capacity = capacity as usize;
        Ok(self)
    }

    /// Numbers of one row of one buffer.
    pub fn row_len(&self) -> usize {
        self.kv_heads * self.capacity * self.head_dim
    }
}

/// One buffer of f32 that starts on a cache line.
///
/// Allocated as zeroes, so that pages come into being when they are first written.
#[derive(Debug)]
pub struct AlignedBuffer {
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

/// Numbers of a 64-byte cache line.
const LINE: usize = 16;

impl AlignedBuffer {
    /// A buffer of `len` zeroes.
    pub fn zeroed(len: usize) -> AlignedBuffer {
        let memory = vec![0.0; len + LINE];
        let start = memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        AlignedBuffer { memory, start, len }
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[f32] {
        &self.memory[self.start..self.start + self.len]
    }

    /// The numbers, to change.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

/// The memory of a slab: for layer `i`, buffer `2 i` holds the keys and `2 i + 1` the values.
#[derive(Debug)]
pub struct KvSlab {
    layout: KvLayout,
    buffers: Vec<AlignedBuffer>,
}

impl KvSlab {
    /// Takes the memory.
    pub fn new(layout: KvLayout) -> KvSlab {
        let len = layout.slots * layout.row_len();
        KvSlab { layout, buffers: (0..2 * layout.layers).map(|_| AlignedBuffer::zeroed(len)).collect() }
    }

    /// Its sizes.
    pub fn layout(&self) -> &KvLayout {
        &self.layout
    }

    /// A buffer: layer `index / 2`, keys when even, values when odd.
    pub fn buffer_mut(&mut self, index: usize) -> &mut AlignedBuffer {
        &mut self.buffers[index]
    }

    /// Copies the first `tokens` tokens of row `from` to row `to`.
    pub fn move_row(&mut self, from: usize, to: usize, tokens: usize) {
        let KvLayout { kv_heads, capacity, head_dim, .. } = self.layout;
        let row = self.layout.row_len();
        let used = tokens.min(capacity) * head_dim;
        for buffer in &mut self.buffers {
            for head in 0..kv_heads {
                let at = head * capacity * head_dim;
                let source = from * row + at;
                buffer.as_mut_slice().copy_within(source..source + used, to * row + at);
            }
        }
    }
}

/// Bytes of memory the system says can be had without swapping; `None` where it does not say.
pub fn available_memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SMOL: KvLayout = KvLayout { layers: 30, kv_heads: 3, head_dim: 64, slots: 8, capacity: 8192 };

    #[test]
    fn a_token_of_the_starter_model_takes_46_kilobytes() {
        assert_eq!(SMOL.bytes_per_token(), 46_080);
    }

    #[test]
    fn a_budget_shortens_rows_before_it_takes_some_away() {
        let mib = |n: u64| n << 20;
        assert_eq!(SMOL.fit(mib(4096)).unwrap(), SMOL);
        let shorter = SMOL.fit(mib(1024)).unwrap();
        assert_eq!((shorter.slots, shorter.capacity), (8, 2880));
        let fewer = SMOL.fit(mib(256)).unwrap();
        assert_eq!((fewer.slots, fewer.capacity), (2, 2880));
        assert!(matches!(SMOL.fit(mib(4)), Err(EngineError::Memory { .. })));
        let short = KvLayout { slots: 1, capacity: 194, ..SMOL };
        assert_eq!(short.fit(mib(4096)).unwrap(), short, "what fits is not touched");
    }

    #[test]
    fn buffers_start_on_a_cache_line() {
        for len in [1, 7, 1000, 1 << 20] {
            let buffer = AlignedBuffer::zeroed(len);
            assert_eq!(buffer.as_slice().as_ptr() as usize % 64, 0);
            assert_eq!(buffer.as_slice().len(), len);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_fitted_slab_never_exceeds_its_budget(mib in 1u64..8192, slots in 1usize..64, capacity in 64usize..40_000) {
            if let Ok(fit) = (KvLayout { slots, capacity, ..SMOL }).fit(mib << 20) {
                prop_assert!(fit.bytes() <= mib << 20);
                prop_assert!(fit.slots >= 1 && fit.slots <= slots && fit.capacity <= capacity);
            }
        }

        #[test]
        fn a_moved_row_holds_the_same_tokens_and_others_stay(from in 0usize..3, to in 0usize..3, tokens in 0usize..=5) {
            let layout = KvLayout { layers: 2, kv_heads: 2, head_dim: 3, slots: 3, capacity: 5 };
            let mut slab = KvSlab::new(layout);
            for (i, b) in slab.buffers.iter_mut().enumerate() {
                for (j, x) in b.as_mut_slice().iter_mut().enumerate() { *x = (i * 1000 + j) as f32; }
            }
            let before: Vec<Vec<f32>> = slab.buffers.iter().map(|b| b.as_slice().to_vec()).collect();
            slab.move_row(from, to, tokens);
            for (old, new) in before.iter().zip(&slab.buffers) {
                for (at, x) in new.as_slice().iter().enumerate() {
                    let (row, head, token, d) = (at / 30, at / 15 % 2, at / 3 % 5, at % 3);
                    let source = if row == to && token < tokens { from } else { row };
                    prop_assert_eq!(*x, old[source * 30 + head * 15 + token * 3 + d]);
                }
            }
        }
    }
}
