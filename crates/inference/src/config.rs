//! What an engine is told when it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Rows of the slab when nobody chose: more than a box has cores for, and memory is only taken by tokens.
pub const DEFAULT_SLOTS: usize = 128;

/// Most prompt tokens of a run when nobody chose.
pub const DEFAULT_CHUNK: usize = 128;

/// What `banyan model tune` found best for one model on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuned {
    /// Threads of one inference.
    pub threads: usize,
    /// Rows.
    pub slots: usize,
    /// Most prompt tokens of a run.
    pub chunk: usize,
}

/// Everything the engine needs to know; the appliance fills it from its settings and the hardware profile.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Folders of model packs, all that the box has. The first decoder answers chats and the first encoder makes embeddings
    /// when a request names no model; both are loaded at start and stay. Any other one is loaded when a request names it.
    pub packs: Vec<PathBuf>,
    /// ONNX Runtime's shared library.
    pub ort_library: PathBuf,
    /// Bytes that all models together may take, keys and values included; 0 takes three quarters of the memory that is free
    /// at start.
    pub memory_budget: u64,
    /// Names of models that are loaded at start and stay, beside the two defaults.
    pub keep_loaded: Vec<String>,
    /// What was measured to be best, by model; used where `threads`, `slots` or `chunk` are 0.
    pub tuned: BTreeMap<String, Tuned>,
    /// Threads of one inference; 0 takes as tuned, else as many as the machine offers to this process.
    pub threads: usize,
    /// Sequences computed at a time (rows of the KV slab); 0 takes as tuned, else [`DEFAULT_SLOTS`]. More give more throughput; memory is only taken by tokens.
    pub slots: usize,
    /// Tokens a sequence may have, prompt and answer together; 0 takes what the model was trained for. The memory
    /// budget may make it smaller.
    pub capacity: usize,
    /// Bytes that keys and values may take, in rows and in the prefix pool; 0 takes a quarter of the memory that is free at start.
    pub kv_budget: u64,
    /// Whether keys and values are kept in 8 bits (a quarter of the memory) where the pack and the provider can; `None` does
    /// so where the budget would otherwise be too small for as many conversations as there are rows.
    pub kv8: Option<bool>,
    /// Where the engine remembers what it has measured about a model; `None` measures at each start.
    pub memory_dir: Option<PathBuf>,
    /// Folders of adapter packs that are loaded at start.
    pub adapters: Vec<PathBuf>,
    /// Bytes that the adapters of one model may take in memory; 0 takes a sixteenth of what is free when the model is loaded.
    pub adapter_budget: u64,
    /// Requests that may wait for a slot; one more is answered with 503 and Retry-After.
    pub max_waiting: usize,
    /// Execution providers in the order of preference, by ONNX Runtime's short names in lower case
    /// (`tensorrt`, `cuda`, `cpu`, …). `cpu` is always tried last.
    pub providers: Vec<String>,
    /// Whether threads of a run wait for each other by spinning. Only for an engine that has its cores to itself: where
    /// they are shared with busy processes, spinning was measured to halve the speed and to double its cost. Spinning
    /// ends with the run.
    pub spin: bool,
    /// Most prompt tokens computed in one run; 0 takes as tuned, else [`DEFAULT_CHUNK`]. Chunks of 512 are no faster than of 128 and need more memory for attention.
    pub chunk: usize,
    /// How long a running stream may stand still when a crowd's prompts are computed.
    pub longest_stall: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            packs: Vec::new(),
            ort_library: PathBuf::new(),
            memory_budget: 0,
            keep_loaded: Vec::new(),
            tuned: BTreeMap::new(),
            threads: 0,
            slots: DEFAULT_SLOTS,
            capacity: 0,
            kv_budget: 0,
            kv8: None,
            memory_dir: None,
            adapters: Vec::new(),
            adapter_budget: 0,
            max_waiting: 256,
            providers: vec!["cpu".into()],
            spin: false,
            chunk: DEFAULT_CHUNK,
            longest_stall: Duration::from_millis(400),
        }
    }
}

impl EngineConfig {
    /// The same for one model: what was left open is as tuned for it, else the default.
    #[must_use]
    pub fn for_model(&self, name: &str) -> EngineConfig {
        let tuned = self.tuned.get(name);
        let or = |given: usize, tuned: Option<usize>, default: usize| match given {
            0 => tuned.unwrap_or(default),
            given => given,
        };
        EngineConfig {
            threads: or(self.threads, tuned.map(|t| t.threads), 0),
            slots: or(self.slots, tuned.map(|t| t.slots), DEFAULT_SLOTS),
            chunk: or(self.chunk, tuned.map(|t| t.chunk), DEFAULT_CHUNK),
            ..self.clone()
        }
    }

    /// The number of threads after `0` has been resolved.
    pub fn resolved_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_stands_and_what_was_left_open_is_as_tuned() {
        let tuned = Tuned { threads: 3, slots: 24, chunk: 64 };
        let open = EngineConfig {
            slots: 0,
            chunk: 0,
            tuned: BTreeMap::from([("small".into(), tuned)]),
            ..EngineConfig::default()
        };
        let sizes = |config: EngineConfig| (config.threads, config.slots, config.chunk);
        assert_eq!(sizes(open.for_model("small")), (3, 24, 64));
        assert_eq!(sizes(open.for_model("other")), (0, DEFAULT_SLOTS, DEFAULT_CHUNK));
        let chosen = EngineConfig { threads: 2, slots: 8, chunk: 32, ..open };
        assert_eq!(sizes(chosen.for_model("small")), (2, 8, 32));
    }
}
