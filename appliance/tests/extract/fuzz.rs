//! Spoilt PDFs and office files through the worker: words or a reason, in time, whatever is in them. The other parsers are
//! fuzzed where they are, in `banyan-knowledge`; faults in a PDF can end a process, so this needs one for each case.
//!
//! The ordinary run takes about five seconds; `BANYAN_FUZZ_SECONDS` makes it long. A failure prints the seed, and
//! `BANYAN_FUZZ_SEED` repeats that case.

use std::path::Path;
use std::time::{Duration, Instant};

use banyan_modelpack::testing::Random;

use super::{banyan, data, hostile};

const LONGEST: Duration = Duration::from_secs(20);

#[test]
fn spoilt_files_give_words_or_a_reason() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let whole = [data("documents/letter.pdf"), hostile("loop.pdf"), data("documents/letter.docx")]
        .map(|path| (path.extension().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let case = |seed| {
        let mut random = Random(seed);
        let (ending, bytes) = &whole[below(&mut random, whole.len())];
        let file = dir.path().join(format!("spoilt.{ending}"));
        std::fs::write(&file, spoilt(bytes, &mut random)).unwrap();
        check(&file, seed);
    };
    if let Some(seed) = number("BANYAN_FUZZ_SEED") {
        return case(seed);
    }
    let seconds = number("BANYAN_FUZZ_SECONDS");
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(5));
    // A long run begins somewhere else each time; the ordinary one is the same everywhere.
    let start = seconds.map_or(0, |_| std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs() << 24));
    let mut cases = 0;
    while Instant::now() < end {
        case(start + cases);
        cases += 1;
    }
    println!("{cases} cases");
    assert!(cases > 4, "only {cases} cases ran");
}

fn check(file: &Path, seed: u64) {
    let began = Instant::now();
    let output = banyan(&["--time=10000"], file);
    let said = String::from_utf8_lossy(&output.stderr);
    let repeat = format!("repeat with BANYAN_FUZZ_SEED={seed}");
    assert!(began.elapsed() < LONGEST, "it took {:?}; {repeat}", began.elapsed());
    assert!(output.status.code().is_some(), "the command itself died; {repeat}");
    assert!(output.status.success() || said.len() > 20, "no reason was given; {repeat}");
    assert!(!said.contains("panicked"), "{said}; {repeat}");
}

fn below(random: &mut Random, most: usize) -> usize {
    usize::try_from(random.bits() >> 1).unwrap_or_default() % most
}

/// Some bytes changed, a part cut out, a part doubled.
fn spoilt(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=below(random, 6) {
        if bytes.is_empty() {
            break;
        }
        let at = below(random, bytes.len());
        let part = at..at + below(random, (bytes.len() - at).min(200));
        match below(random, 6) {
            0 => drop(bytes.drain(part)),
            1 => {
                let doubled = bytes[part].to_vec();
                bytes.splice(at..at, doubled);
            }
            // Digits are lengths and places, on which everything hangs.
            2 => {
                if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                    *digit = b'0' + u8::try_from(below(random, 10)).unwrap_or_default();
                }
            }
            _ => bytes[at] = random.bits().to_le_bytes()[0],
        }
    }
    bytes
}
