//! What an engine is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

/// Everything the engine needs to know; the appliance fills it from its settings and the hardware profile.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Folders of model packs. The first decoder answers chats, the first encoder makes embeddings; either may be
    /// missing, and then its requests are refused in words.
    pub packs: Vec<PathBuf>,
    /// ONNX Runtime's shared library.
    pub ort_library: PathBuf,
    /// Threads of one inference; 0 takes as many as the machine offers to this process.
    pub threads: usize,
    /// Sequences computed at a time (rows of the KV slab). More give more throughput; memory is only taken by tokens.
    pub slots: usize,
    /// Tokens a sequence may have, prompt and answer together; 0 takes what the model was trained for. The memory
    /// budget may make it smaller.
    pub capacity: usize,
    /// Bytes that keys and values may take, in rows and in the prefix pool; 0 takes a quarter of the memory that is free at start.
    pub kv_budget: u64,
    /// Whether keys and values are kept in 8 bits where the pack and the provider can: a quarter of the memory, and faster
    /// when many ask.
    pub kv8: bool,
    /// Where the engine remembers what it has measured about a model; `None` measures at each start.
    pub memory_dir: Option<PathBuf>,
    /// Requests that may wait for a slot; one more is answered with 503 and Retry-After.
    pub max_waiting: usize,
    /// Execution providers in the order of preference, by ONNX Runtime's short names in lower case
    /// (`tensorrt`, `cuda`, `cpu`, …). `cpu` is always tried last.
    pub providers: Vec<String>,
    /// Whether threads of a run wait for each other by spinning. Only for an engine that has its cores to itself: where
    /// they are shared with busy processes, spinning was measured to halve the speed and to double its cost. Spinning
    /// ends with the run.
    pub spin: bool,
    /// Most prompt tokens computed in one run. Chunks of 512 are no faster than of 128 and need more memory for attention.
    pub chunk: usize,
    /// How long a running stream may stand still when a crowd's prompts are computed.
    pub longest_stall: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            packs: Vec::new(),
            ort_library: PathBuf::new(),
            threads: 0,
            slots: 128,
            capacity: 0,
            kv_budget: 0,
            kv8: true,
            memory_dir: None,
            max_waiting: 256,
            providers: vec!["cpu".into()],
            spin: false,
            chunk: 128,
            longest_stall: Duration::from_millis(400),
        }
    }
}

impl EngineConfig {
    /// The number of threads after `0` has been resolved.
    pub fn resolved_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }
}
