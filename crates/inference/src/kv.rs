//! The memory of all conversations: what it is made of, how much of it there is, and how it is divided.
//!
//! For each layer there is one buffer of keys and one of values, `[slots, kv_heads, capacity, head_dim]`. A slab and not
//! pages: ONNX Runtime's GroupQueryAttention on CPU reads rows of one stride (its PagedAttention has no CPU kernel), and a
//! run binds a range of rows by pointer, so a decode run over the first rows and a prefill of one row work on the same
//! memory without a copy.
//!
//! A row has address space for the longest conversation, and memory only for the tokens it holds: the system gives zeroed
//! pages at first touch and takes them back when the engine says so ([`crate::forward::Forward::release`]). So the kernel is
//! the page table, and the scheduler only counts tokens: all rows together never hold more than [`KvPlan::row_tokens`].
//!
//! Beside the rows stands a pool of blocks with computed prefixes ([`crate::prefix`]); a block is copied into a row, which
//! for 500 tokens takes milliseconds where computing them takes seconds.

use crate::error::EngineError;

/// The least tokens a row must have to be worth starting: a short question with a short answer.
const LEAST_CAPACITY: u64 = 256;

/// Rows that the budget makes shorter are a multiple of this many tokens; then every head starts on a page of its own.
const CAPACITY_STEP: u64 = 64;

/// Tokens of a block of the prefix pool. Small blocks share more of a prefix that ends within one, large ones cost less
/// bookkeeping.
pub const BLOCK: usize = 16;

/// The share of the budget that the prefix pool gets: one quarter.
const POOL_SHARE: u64 = 4;

/// Blocks of the pool at most: some 65 000 tokens, a long conversation for each of a hundred members.
const MAX_BLOCKS: u64 = 4096;

/// How a key or value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// As computed.
    F32,
    /// As an 8-bit integer times a scale of its channel.
    I8,
}

impl Element {
    /// Bytes of one number.
    pub const fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::I8 => 1,
        }
    }
}

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
    /// How a number is kept.
    pub element: Element,
}

impl KvLayout {
    /// Bytes that one token of one conversation takes: K and V in every layer.
    pub fn bytes_per_token(&self) -> u64 {
        2 * (self.element.bytes() * self.layers * self.kv_heads * self.head_dim) as u64
    }

    /// Bytes of one row of one buffer.
    pub fn row_bytes(&self) -> usize {
        self.kv_heads * self.head_bytes()
    }

    /// Bytes of one head of one row of one buffer.
    pub fn head_bytes(&self) -> usize {
        self.capacity * self.token_bytes()
    }

    /// Bytes of one token of one head in one buffer.
    pub fn token_bytes(&self) -> usize {
        self.head_dim * self.element.bytes()
    }

    /// Buffers: keys and values of every layer.
    pub fn buffers(&self) -> usize {
        2 * self.layers
    }
}

/// How the memory is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvPlan {
    /// The slab; its rows have address space for `slots × capacity` tokens.
    pub layout: KvLayout,
    /// Tokens that all rows together may hold.
    pub row_tokens: usize,
    /// Blocks of the prefix pool, of [`BLOCK`] tokens each.
    pub blocks: usize,
}

impl KvPlan {
    /// Divides `budget` bytes among rows and the prefix pool. What does not fit makes the longest conversation shorter first,
    /// and then leaves fewer rows.
    pub fn new(mut layout: KvLayout, budget: u64, with_pool: bool) -> Result<KvPlan, EngineError> {
        let tokens = budget / layout.bytes_per_token().max(1);
        let wanted = layout.capacity as u64;
        let pool = if with_pool { (tokens / POOL_SHARE / BLOCK as u64).min(MAX_BLOCKS) } else { 0 };
        let rows = tokens - pool * BLOCK as u64;
        let mut capacity = rows.min(wanted);
        if capacity > CAPACITY_STEP {
            capacity -= capacity % CAPACITY_STEP;
        }
        if capacity < LEAST_CAPACITY.min(wanted) {
            return Err(EngineError::Memory { budget: budget >> 20, tokens, least: LEAST_CAPACITY });
        }
        layout.capacity = capacity as usize;
        layout.slots = (rows / LEAST_CAPACITY.min(capacity)).clamp(1, layout.slots.max(1) as u64) as usize;
        Ok(KvPlan { layout, row_tokens: rows as usize, blocks: pool as usize })
    }

    /// Rows that hold `capacity` tokens each, and no pool: for programs that compute a few texts.
    pub fn exact(layout: KvLayout) -> KvPlan {
        KvPlan { layout, row_tokens: layout.slots * layout.capacity, blocks: 0 }
    }

    /// Bytes of all tokens that rows and pool may hold.
    pub fn bytes(&self) -> u64 {
        self.layout.bytes_per_token() * (self.row_tokens + self.blocks * BLOCK) as u64
    }
}

/// Zeroed memory that starts on a page. Pages come into being when they are first written.
#[derive(Debug)]
pub struct PagedBuffer {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

/// Bytes of a page, on every machine Banyan runs on but some arm64 kernels with larger ones; those only lose the
/// giving back of memory where a boundary does not fit.
pub const PAGE: usize = 4096;

impl PagedBuffer {
    /// A buffer of `len` zeroes.
    pub fn zeroed(len: usize) -> PagedBuffer {
        let memory = vec![0; len + PAGE];
        let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
        PagedBuffer { memory, start, len }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    /// The bytes, to change.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

/// The memory of rows and blocks: for layer `i`, buffer `2 i` holds the keys and `2 i + 1` the values.
#[derive(Debug)]
pub struct KvSlab {
    layout: KvLayout,
    rows: Vec<PagedBuffer>,
    /// One buffer a block holds all layers' keys and values of its tokens: `[buffers, kv_heads, BLOCK, head_dim]`.
    pool: PagedBuffer,
}

impl KvSlab {
    /// Takes the address space.
    pub fn new(plan: &KvPlan) -> KvSlab {
        let layout = plan.layout;
        let len = layout.slots * layout.row_bytes();
        let block = layout.bytes_per_token() as usize * BLOCK;
        KvSlab {
            layout,
            rows: (0..layout.buffers()).map(|_| PagedBuffer::zeroed(len)).collect(),
            pool: PagedBuffer::zeroed(plan.blocks * block),
        }
    }

    /// Its sizes.
    pub fn layout(&self) -> &KvLayout {
        &self.layout
    }

    /// The rows of a buffer: layer `index / 2`, keys when even, values when odd.
    pub fn rows_mut(&mut self, index: usize) -> &mut PagedBuffer {
        &mut self.rows[index]
    }

    /// The blocks.
    pub fn pool_mut(&mut self) -> &mut PagedBuffer {
        &mut self.pool
    }

    /// The largest size of each channel of each head (`[kv_heads, head_dim]`) in row 0 of a buffer of f32.
    pub fn channel_sizes(&self, index: usize) -> Vec<f32> {
        let KvLayout { kv_heads, head_dim, capacity, .. } = self.layout;
        let mut sizes = vec![0f32; kv_heads * head_dim];
        let row = &self.rows[index].as_slice()[..self.layout.row_bytes()];
        for (at, bytes) in row.as_chunks::<4>().0.iter().enumerate() {
            let size = &mut sizes[at / (capacity * head_dim) * head_dim + at % head_dim];
            *size = size.max(f32::from_ne_bytes(*bytes).abs());
        }
        sizes
    }

    /// Copies the first `tokens` tokens of row `from` to row `to`.
    pub fn move_row(&mut self, from: usize, to: usize, tokens: usize) {
        let (row, head) = (self.layout.row_bytes(), self.layout.head_bytes());
        let used = tokens.min(self.layout.capacity) * self.layout.token_bytes();
        for buffer in &mut self.rows {
            for at in (0..self.layout.kv_heads).map(|h| h * head) {
                let source = from * row + at;
                buffer.as_mut_slice().copy_within(source..source + used, to * row + at);
            }
        }
    }

    /// Copies [`BLOCK`] tokens of row `slot` from token `start` on into `block`.
    pub fn save(&mut self, slot: usize, start: usize, block: usize) {
        self.copy_block(slot, start, block, |row, block| block.copy_from_slice(row));
    }

    /// Copies `block` into row `slot` from token `start` on.
    pub fn restore(&mut self, slot: usize, start: usize, block: usize) {
        self.copy_block(slot, start, block, |row, block| row.copy_from_slice(block));
    }

    fn copy_block(&mut self, slot: usize, start: usize, block: usize, copy: impl Fn(&mut [u8], &mut [u8])) {
        let layout = self.layout;
        let len = BLOCK * layout.token_bytes();
        let mut at = block * layout.bytes_per_token() as usize * BLOCK;
        for buffer in &mut self.rows {
            for head in 0..layout.kv_heads {
                let from =
                    slot * layout.row_bytes() + head * layout.head_bytes() + start * layout.token_bytes();
                let row = &mut buffer.as_mut_slice()[from..from + len];
                copy(row, &mut self.pool.as_mut_slice()[at..at + len]);
                at += len;
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

    const SMOL: KvLayout =
        KvLayout { layers: 30, kv_heads: 3, head_dim: 64, slots: 128, capacity: 8192, element: Element::F32 };

    #[test]
    fn a_token_of_the_starter_model_takes_46_kilobytes_or_a_quarter_of_it() {
        assert_eq!(SMOL.bytes_per_token(), 46_080);
        assert_eq!(KvLayout { element: Element::I8, ..SMOL }.bytes_per_token(), 11_520);
    }

    #[test]
    fn a_budget_shortens_conversations_before_it_takes_rows_away() {
        let mib = |n: u64| n << 20;
        let ample = KvPlan::new(SMOL, mib(4096), true).unwrap();
        assert_eq!((ample.layout.slots, ample.layout.capacity), (128, 8192), "rows share what there is");
        assert!(ample.row_tokens < 128 * 8192 && ample.row_tokens > 69_000, "{}", ample.row_tokens);
        let small = KvPlan::new(SMOL, mib(256), true).unwrap();
        assert_eq!((small.layout.slots, small.layout.capacity), (17, 4352));
        assert!(matches!(KvPlan::new(SMOL, mib(4), true), Err(EngineError::Memory { .. })));
        let short = KvLayout { slots: 1, capacity: 192, ..SMOL };
        assert_eq!(KvPlan::new(short, mib(4096), false).unwrap().layout, short, "what fits is not touched");
    }

    #[test]
    fn buffers_start_on_a_page() {
        for len in [1, 7, 1000, 1 << 20] {
            let buffer = PagedBuffer::zeroed(len);
            assert_eq!(buffer.as_slice().as_ptr() as usize % PAGE, 0);
            assert_eq!(buffer.as_slice().len(), len);
        }
    }

    /// A slab whose every byte tells where it stands.
    fn numbered(slots: usize, blocks: usize) -> (KvSlab, Vec<Vec<u8>>) {
        let layout = KvLayout {
            layers: 2,
            kv_heads: 2,
            head_dim: 3,
            slots,
            capacity: 2 * BLOCK,
            element: Element::I8,
        };
        let mut slab = KvSlab::new(&KvPlan { layout, row_tokens: slots * 2 * BLOCK, blocks });
        for (i, b) in slab.rows.iter_mut().enumerate() {
            for (j, x) in b.as_mut_slice().iter_mut().enumerate() {
                *x = ((i * 7919 + j * 31) % 251) as u8;
            }
        }
        let before = slab.rows.iter().map(|b| b.as_slice().to_vec()).collect();
        (slab, before)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_plan_never_exceeds_its_budget(mib in 1u64..8192, slots in 1usize..200, capacity in 64usize..40_000, pool: bool) {
            if let Ok(plan) = KvPlan::new(KvLayout { slots, capacity, ..SMOL }, mib << 20, pool) {
                prop_assert!(plan.bytes() <= mib << 20);
                prop_assert!(plan.layout.slots >= 1 && plan.layout.slots <= slots);
                prop_assert!(plan.layout.capacity <= capacity && plan.layout.capacity <= plan.row_tokens);
            }
        }

        #[test]
        fn a_moved_row_holds_the_same_tokens_and_others_stay(from in 0usize..3, to in 0usize..3, tokens in 0usize..=2 * BLOCK) {
            let (mut slab, before) = numbered(3, 0);
            slab.move_row(from, to, tokens);
            let (head, row) = (2 * BLOCK * 3, 2 * 2 * BLOCK * 3);
            for (old, new) in before.iter().zip(&slab.rows) {
                for (at, x) in new.as_slice().iter().enumerate() {
                    let (r, h, token, d) = (at / row, at / head % 2, at / 3 % (2 * BLOCK), at % 3);
                    let source = if r == to && token < tokens { from } else { r };
                    prop_assert_eq!(*x, old[source * row + h * head + token * 3 + d]);
                }
            }
        }

        #[test]
        fn a_saved_block_comes_back_in_any_row(from in 0usize..3, to in 0usize..3, block in 0usize..4, start in 0usize..=BLOCK) {
            let (mut slab, before) = numbered(3, 4);
            slab.save(from, start, block);
            slab.restore(to, BLOCK, block);
            let (head, row) = (2 * BLOCK * 3, 2 * 2 * BLOCK * 3);
            for (old, new) in before.iter().zip(&slab.rows) {
                for (at, x) in new.as_slice().iter().enumerate() {
                    let (r, h, token, d) = (at / row, at / head % 2, at / 3 % (2 * BLOCK), at % 3);
                    let source = if r == to && token >= BLOCK { (from, token - BLOCK + start) } else { (r, token) };
                    prop_assert_eq!(*x, old[source.0 * row + h * head + source.1 * 3 + d]);
                }
            }
        }
    }
}
