//! What models take: estimated before they are loaded, measured for the log.

use banyan_modelpack::Pack;
use banyan_modelpack::graph::WEIGHTS_FILE;

/// What a run's intermediate results, the tokenizer and the session take: 32 MiB for small models and prompts in chunks.
const WORKING_ROOM: u64 = 32 << 20;

/// Taken for the free memory where the system does not say.
const ASSUMED_MEMORY: u64 = 2 << 30;

/// Bytes of this process that are in memory; 0 where the system does not say.
pub fn resident() -> u64 {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    read().unwrap_or(0) * 1024
}

/// What a model takes beside its key/value memory: ONNX Runtime maps the weights' file and packs them a second time for its
/// kernels, and a run needs room to work. Measured for the starter model: 240 MiB for files of 122.
pub(crate) fn estimate(pack: &Pack) -> u64 {
    let weights = pack.manifest().file(WEIGHTS_FILE).map_or(0, |file| file.bytes);
    2 * weights + WORKING_ROOM
}

/// Bytes that all models may take: as many as were given, else three quarters of what is free.
pub(crate) fn budget(given: u64) -> u64 {
    match given {
        0 => crate::kv::available_memory().unwrap_or(ASSUMED_MEMORY) / 4 * 3,
        bytes => bytes,
    }
}
