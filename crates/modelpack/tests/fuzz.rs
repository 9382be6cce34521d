//! Changed and invented bytes through every parser of untrusted input: nothing panics, overflows the stack, or asks
//! for more memory than it states.
//!
//! The ordinary run takes about five seconds; `BANYAN_FUZZ_SECONDS` makes it long. A failure prints the seed and the
//! target, and `BANYAN_FUZZ_SEED` repeats that case.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use banyan_modelpack::source::gguf::{Gguf, decoder_config, reader};
use banyan_modelpack::source::hf::{HfFolder, safetensors};
use banyan_modelpack::source::{DType, WeightSource};
use banyan_modelpack::testing::gguf::Meta;
use banyan_modelpack::testing::{Random, Tiny, TinyFamily, tokenizer};
use banyan_modelpack::tokenizer::{from_folder, from_gguf};
use banyan_modelpack::{ChatTemplate, Manifest, Message};
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What one case may hold beyond what was there before. GGUF states [`reader::MAX_HEADER_MEMORY`] for its header; a
/// rendering may make 64 bytes for each unit of fuel and keep some of it twice.
const MEMORY_BOUND: usize = reader::MAX_HEADER_MEMORY;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// One test at a time: the numbers above are the process's.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call is handed to the system's allocator unchanged; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs a case and refuses a peak beyond the bound.
fn bounded(what: &str, seed: u64, case: impl FnOnce()) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(case));
    let used = PEAK.load(Relaxed).saturating_sub(before);
    if result.is_err() || used > MEMORY_BOUND {
        drop(std::panic::take_hook());
    }
    assert!(result.is_ok(), "{what} panicked; repeat with BANYAN_FUZZ_SEED={seed}");
    assert!(used <= MEMORY_BOUND, "{what} held {used} bytes; repeat with BANYAN_FUZZ_SEED={seed}");
}

/// Numbers at which size arithmetic breaks.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, 1 << 60, u64::MAX];

/// Changes some bytes: flips, edge numbers of one to eight bytes, cuts, repetitions, moves.
fn mutate(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..1 + random.bits() % 4 {
        if bytes.is_empty() {
            return bytes;
        }
        let at = (random.bits() % bytes.len() as u64) as usize;
        let length = ((random.bits() % 64) as usize).min(bytes.len() - at);
        match random.bits() % 6 {
            0 => bytes[at] ^= 1 << (random.bits() % 8),
            1 => bytes[at] = random.bits() as u8,
            2 => {
                let number = EDGES[(random.bits() % 10) as usize].to_le_bytes();
                let width = (1usize << (random.bits() % 4)).min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..at + length].to_vec();
                let times = if random.bits().is_multiple_of(64) { 2000 } else { 1 + random.bits() % 3 };
                let part = part.repeat(times as usize);
                bytes.splice(at..at, part);
            }
            _ => {
                bytes.drain(at..at + length);
            }
        }
    }
    bytes
}

/// A text put together of pieces of the language and pieces of real texts.
fn invent(pieces: &[&str], random: &mut Random) -> String {
    let count = 1 + random.bits() % 40;
    (0..count).map(|_| pieces[(random.bits() % pieces.len() as u64) as usize]).collect()
}

const TEMPLATE_PIECES: [&str; 48] = [
    "{{ ",
    " }}",
    "{% ",
    " %}",
    "{%- for m in messages %}",
    "{% endfor %}",
    "{% if ",
    "{% elif x %}",
    "{% else %}",
    "{% endif %}",
    "{% set ns = namespace(x=[1], s='ab') %}",
    "{% set ns.x = ",
    "{% set x = ",
    "{% set x %}",
    "{% endset %}",
    "ns.x",
    "ns.s",
    "messages",
    "messages[0]",
    "m.content",
    " + ",
    " ~ ",
    " * ",
    "99999999",
    "-1",
    "[",
    "]",
    "(",
    ")",
    "'a'",
    "|join",
    "|list",
    "|tojson",
    "|replace('a', 'aa')",
    "|sort",
    "|batch(3)",
    "|indent(4000)",
    "range(9999)",
    "{% macro f(a) %}",
    "{% endmacro %}",
    "f(x)",
    "[::-1]",
    ".split('a')",
    ".center(99)",
    "|map('list')",
    "strftime_now('%Y')",
    "raise_exception('no')",
    "|sum(start=[])",
];

struct Targets {
    folder: tempfile::TempDir,
    gguf: Vec<u8>,
    sentence_piece: Vec<u8>,
    safetensors: Vec<u8>,
    config: Vec<u8>,
    tokenizer: Vec<u8>,
    manifest: String,
    templates: Vec<String>,
}

impl Targets {
    fn new() -> Self {
        let mut tiny = Tiny::new(TinyFamily::Qwen2, 1);
        (tiny.layers, tiny.hidden, tiny.intermediate, tiny.vocab) = (1, 32, 32, 384);
        (tiny.heads, tiny.kv_heads, tiny.head_dim) = (2, 1, 16);
        for tensor in tiny.tensors.values_mut() {
            (tensor.rows, tensor.cols) = (tensor.rows.min(32), tensor.cols.min(32));
            tensor.values.truncate(tensor.rows * tensor.cols);
        }
        let folder = tempfile::TempDir::new().unwrap();
        tiny.write_folder(folder.path(), DType::BF16).unwrap();
        let mut file = tiny.gguf(DType::Q4_0);
        let gguf = file.to_bytes();
        file.set("tokenizer.ggml.model", Meta::Text("llama".into()));
        file.set(
            "tokenizer.ggml.scores",
            Meta::Floats((0..tokenizer::tokens().len()).map(|i| -(i as f32)).collect()),
        );
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        Self {
            gguf,
            sentence_piece: file.to_bytes(),
            safetensors: read("model.safetensors"),
            config: read("config.json"),
            tokenizer: read("tokenizer.json"),
            manifest: include_str!("manifest.toml").into(),
            templates: vec![
                tokenizer::CHAT_TEMPLATE.into(),
                include_str!("formats/templates/qwen3.jinja").into(),
            ],
            folder,
        }
    }

    fn run(&self, seed: u64) {
        let random = &mut Random(seed);
        let scratch = self.folder.path().join("scratch.gguf");
        match random.bits() % 8 {
            0 | 1 => {
                let original =
                    if random.bits().is_multiple_of(2) { &self.gguf } else { &self.sentence_piece };
                // Mostly the header: the weights have no structure to break.
                let header = original.len().min(9000);
                let mut bytes = mutate(&original[..header], random);
                bytes.extend(&original[header..]);
                std::fs::write(&scratch, bytes).unwrap();
                bounded("a GGUF file", seed, || read_gguf(&scratch));
            }
            2 => {
                let bytes = mutate(&self.safetensors[..self.safetensors.len().min(4000)], random);
                bounded("a safetensors header", seed, || {
                    let length = [bytes.len() as u64, u64::MAX][(seed % 2) as usize];
                    let _ = safetensors::read_header(bytes.as_slice(), length);
                });
            }
            3 => self.folder_with("config.json", &mutate(&self.config, random), &self.config, seed),
            4 => self.folder_with("tokenizer.json", &mutate(&self.tokenizer, random), &self.tokenizer, seed),
            5 => {
                let bytes = mutate(self.manifest.as_bytes(), random);
                bounded("a manifest", seed, || drop(Manifest::parse(&String::from_utf8_lossy(&bytes))));
            }
            6 => {
                let original = &self.templates[(random.bits() % 2) as usize];
                let bytes = mutate(original.as_bytes(), random);
                bounded("a chat template", seed, || render(&String::from_utf8_lossy(&bytes)));
            }
            _ => {
                let source = invent(&TEMPLATE_PIECES, random);
                bounded("an invented chat template", seed, || render(&source));
            }
        }
    }

    /// The folder with one file changed, which is put back afterwards.
    fn folder_with(&self, name: &str, changed: &[u8], original: &[u8], seed: u64) {
        std::fs::write(self.folder.path().join(name), changed).unwrap();
        bounded(name, seed, || {
            if let Ok(folder) = HfFolder::open(self.folder.path()) {
                let _ = folder.model();
                let _ = from_folder(&folder);
            }
        });
        std::fs::write(self.folder.path().join(name), original).unwrap();
    }
}

fn read_gguf(path: &Path) {
    let Ok(file) = Gguf::open(path) else { return };
    let _ = decoder_config(&file);
    let _ = from_gguf(&file);
    let mut rows = Vec::new();
    for name in file.names().take(4) {
        let _ = file.read_rows(name, 0, 1, &mut rows);
    }
}

fn render(source: &str) {
    if let Ok(template) = ChatTemplate::parse(source, "<s>", "</s>") {
        let messages =
            [Message { role: "user", content: "Habari?" }, Message { role: "assistant", content: "" }];
        let _ = template.render(&messages, true);
    }
}

#[test]
fn nothing_panics_or_takes_more_memory_than_stated() {
    let _alone = ALONE.lock();
    // The panics that are caught and refused (in the tokenizers library) would drown the output.
    if std::env::var_os("BANYAN_FUZZ_SEED").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let targets = Targets::new();
    if let Some(seed) = number("BANYAN_FUZZ_SEED") {
        return targets.run(seed);
    }
    let seconds = number("BANYAN_FUZZ_SECONDS");
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(4));
    // A long run begins somewhere else each time; the ordinary one is the same everywhere.
    let start = seconds.map_or(0, |_| std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs() << 24));
    let mut cases = 0u64;
    while Instant::now() < end {
        targets.run(start + cases);
        cases += 1;
    }
    drop(std::panic::take_hook());
    println!("{cases} cases");
    assert!(cases > 100, "only {cases} cases ran");
}

/// The dearest header that the limits let through, as a whole.
#[test]
fn the_largest_header_stays_within_its_stated_memory() {
    let _alone = ALONE.lock();
    let mut header =
        [b"GGUF".as_slice(), &3u32.to_le_bytes(), &0u64.to_le_bytes(), &3u64.to_le_bytes()].concat();
    for (key, length) in [("tokenizer.ggml.tokens", 24usize), ("tokenizer.ggml.merges", 15), ("x", 0)] {
        header.extend((key.len() as u64).to_le_bytes());
        header.extend(key.as_bytes());
        header.extend(9u32.to_le_bytes());
        header.extend(8u32.to_le_bytes());
        header.extend(reader::MAX_ARRAY.to_le_bytes());
        for _ in 0..reader::MAX_ARRAY {
            header.extend((length as u64).to_le_bytes());
            header.extend(std::iter::repeat_n(b'a', length));
        }
    }
    assert!((header.len() as u64) < reader::MAX_HEADER_BYTES);
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let read = reader::read_header(header.as_slice(), u64::MAX).unwrap();
    let used = PEAK.load(Relaxed) - before;
    assert!(used <= reader::MAX_HEADER_MEMORY, "{used} bytes");
    assert_eq!(read.metadata.len(), 3);
}
