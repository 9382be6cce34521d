//! What `banyan model tune` found, on the disk: `tuning/<model>.toml` in the data folder.
//!
//! Figures belong to one machine, one ONNX Runtime and one model; each file says to which, and is only used there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use banyan_inference::Tuned;
use banyan_inference::tune::cost::CostModel;
use banyan_inference::tune::{Sample, TuneReport};
use banyan_modelpack::{Pack, graph::WEIGHTS_FILE};
use serde::{Deserialize, Serialize};

const HEADER: &str = "\
# What `banyan model tune` measured on this machine. Used where the hardware profile says 0; delete the file to forget it.
# Times are in microseconds. A step of n rows (or a chunk of n tokens) after p tokens of past costs base + each*n + past*n*p.

";

/// What speed depends on beside the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    processor: String,
    /// Those that this process may use.
    cores: usize,
    /// The library's file name, which has its version, and its size.
    onnx_runtime: String,
}

impl Machine {
    /// This one, with this library.
    pub(crate) fn this(library: &Path) -> Machine {
        Machine {
            processor: processor(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            onnx_runtime: library_name(library),
        }
    }
}

/// x86 has a name; arm64 has numbers, which tell models apart as well.
fn processor(cpuinfo: &str) -> String {
    let field = |name: &str| {
        let line =
            cpuinfo.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    field("model name").unwrap_or_else(|| {
        let numbers = ["CPU implementer", "CPU part", "CPU variant", "Model"].map(field);
        let known: Vec<String> = numbers.into_iter().flatten().collect();
        if known.is_empty() { "unknown".into() } else { known.join(" ") }
    })
}

fn library_name(library: &Path) -> String {
    let real = library.canonicalize().unwrap_or_else(|_| library.to_owned());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = real.metadata().map_or(0, |found| found.len());
    format!("{name}, {bytes} bytes")
}

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tuning {
    /// When, in UTC.
    measured_at: jiff::Timestamp,
    quick: bool,
    /// BLAKE3 of the model's weights.
    weights: String,
    /// Whether keys and values were kept in 8 bits.
    kv8: bool,
    machine: Machine,
    chosen: Chosen,
    /// The formula for the chosen threads.
    costs: CostModel,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    threads: usize,
    slots: usize,
    chunk: usize,
}

impl Tuning {
    pub(crate) fn new(machine: Machine, pack: &Pack, quick: bool, report: &TuneReport) -> Tuning {
        let Tuned { threads, slots, chunk } = report.tuned;
        Tuning {
            measured_at: jiff::Timestamp::now(),
            quick,
            weights: weights(pack),
            kv8: report.kv8,
            machine,
            chosen: Chosen { threads, slots, chunk },
            costs: report.costs,
            samples: report.samples.clone(),
        }
    }

    /// Writes whole or not at all, and onto the disk: power may go at any instruction.
    pub(crate) fn save(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        let path = path(folder, name);
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let text = toml::to_string(self).map_err(std::io::Error::other)?;
            let beside = path.with_extension("toml.new");
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(HEADER.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)?;
            std::fs::File::open(folder)?.sync_all()
        };
        write().with_context(|| format!("{} could not be written", path.display()))?;
        Ok(path)
    }

    /// Why the figures are not those of this machine and this model; nothing when they are.
    fn stale(&self, machine: &Machine, pack: &Pack) -> Option<String> {
        let was = &self.machine;
        if was.processor != machine.processor {
            return Some(format!(
                "measured on another processor ({}, here {})",
                was.processor, machine.processor
            ));
        }
        if was.cores != machine.cores {
            return Some(format!("measured with {} cores, and here are {}", was.cores, machine.cores));
        }
        if was.onnx_runtime != machine.onnx_runtime {
            return Some(format!(
                "measured with another ONNX Runtime ({}, here {})",
                was.onnx_runtime, machine.onnx_runtime
            ));
        }
        (self.weights != weights(pack)).then(|| "the model has been imported anew since".into())
    }
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.toml"))
}

fn weights(pack: &Pack) -> String {
    pack.manifest().file(WEIGHTS_FILE).map(|entry| entry.blake3.clone()).unwrap_or_default()
}

/// How a model is tuned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Never,
    Fits(Tuned),
    /// Why it is not used.
    Stale(String),
}

/// Looks for the figures of a model.
pub(crate) fn find(folder: &Path, machine: &Machine, pack: &Pack) -> Found {
    let path = path(folder, &pack.manifest().name);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Found::Never,
        Err(error) => return Found::Stale(format!("{} could not be read: {error}", path.display())),
    };
    let tuning: Tuning = match toml::from_str(&text) {
        Ok(tuning) => tuning,
        Err(error) => {
            return Found::Stale(format!("{} is of another version: {}", path.display(), error.message()));
        }
    };
    if let Some(why) = tuning.stale(machine, pack) {
        return Found::Stale(why);
    }
    let Chosen { threads, slots, chunk } = tuning.chosen;
    let sane = (1..=1024).contains(&threads) && (1..=1024).contains(&slots) && (1..=65_536).contains(&chunk);
    match sane {
        true => Found::Fits(Tuned { threads, slots, chunk }),
        false => Found::Stale(format!("{} has absurd values", path.display())),
    }
}

/// What the engine is to use, by model.
pub(crate) fn all<'a>(
    folder: &Path,
    machine: &Machine,
    packs: impl Iterator<Item = &'a Pack>,
) -> BTreeMap<String, Tuned> {
    let tuned = packs.filter_map(|pack| {
        let name = pack.manifest().name.clone();
        match find(folder, machine, pack) {
            Found::Fits(tuned) => Some((name, tuned)),
            Found::Never => None,
            Found::Stale(why) => {
                tracing::warn!(model = %name, %why, "what was tuned is not used; `banyan model tune` measures anew");
                None
            }
        }
    });
    tuned.collect()
}

#[cfg(test)]
mod tests {
    use banyan_inference::tune::Step;
    use banyan_modelpack::testing::{Tiny, TinyFamily};
    use banyan_modelpack::{Store, import, source::DType};

    use super::*;

    fn pack(dir: &Path, seed: u64) -> Pack {
        let source = dir.join(format!("source{seed}"));
        Tiny::new(TinyFamily::Llama, seed).write_folder(&source, DType::F32).unwrap();
        let options = import::ImportOptions { name: Some("tiny".into()), ..Default::default() };
        import::import(&source, &Store::new(dir.join(format!("models{seed}"))), &options, &mut |_| ())
            .unwrap()
    }

    fn machine() -> Machine {
        Machine {
            processor: "Alder 9".into(),
            cores: 4,
            onnx_runtime: "libonnxruntime.so.1.32.0, 7 bytes".into(),
        }
    }

    fn report() -> TuneReport {
        let sample =
            |step, count| Sample { threads: 2, step, count, past: 64, wall_us: 900.0, processor_us: 1700.0 };
        TuneReport {
            tuned: Tuned { threads: 2, slots: 24, chunk: 64 },
            costs: CostModel::default(),
            kv8: true,
            samples: vec![sample(Step::Decode, 1), sample(Step::Prefill, 128)],
        }
    }

    #[test]
    fn what_was_tuned_comes_back_on_the_same_machine_and_on_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (pack, folder) = (pack(dir.path(), 1), dir.path().join("tuning"));
        assert_eq!(find(&folder, &machine(), &pack), Found::Never);
        Tuning::new(machine(), &pack, false, &report()).save(&folder, "tiny").unwrap();
        assert_eq!(find(&folder, &machine(), &pack), Found::Fits(Tuned { threads: 2, slots: 24, chunk: 64 }));
        assert_eq!(all(&folder, &machine(), [&pack].into_iter()).len(), 1);
        let stale = |change: &dyn Fn(&mut Machine)| {
            let mut other = machine();
            change(&mut other);
            match find(&folder, &other, &pack) {
                Found::Stale(why) => why,
                found => panic!("{found:?}"),
            }
        };
        assert!(stale(&|m| m.processor = "Birch".into()).contains("another processor (Alder 9, here Birch)"));
        assert!(stale(&|m| m.cores = 2).contains("4 cores, and here are 2"));
        assert!(stale(&|m| m.onnx_runtime = "libonnxruntime.so.1.33.0, 7 bytes".into()).contains("1.33.0"));
    }

    #[test]
    fn a_model_that_was_imported_anew_and_a_file_that_is_cut_off_are_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (pack(dir.path(), 1), pack(dir.path(), 2));
        let folder = dir.path().join("tuning");
        let path = Tuning::new(machine(), &old, true, &report()).save(&folder, "tiny").unwrap();
        assert!(
            matches!(find(&folder, &machine(), &new), Found::Stale(why) if why.contains("imported anew"))
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# What `banyan model tune` measured"), "{text}");
        std::fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert!(matches!(find(&folder, &machine(), &old), Found::Stale(_)));
        std::fs::write(&path, text.replace("slots = 24", "slots = 0")).unwrap();
        assert!(matches!(find(&folder, &machine(), &old), Found::Stale(why) if why.contains("absurd")));
    }

    #[test]
    fn processors_are_told_apart_with_and_without_a_name() {
        let named = "processor\t: 0\nmodel name\t: Alder 9 @ 2 GHz\nflags\t: avx2\n";
        assert_eq!(processor(named), "Alder 9 @ 2 GHz");
        let numbered = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\nCPU variant\t: 0x4\n";
        assert_eq!(processor(numbered), "0x41 0xd0b 0x4");
        assert_eq!(processor(""), "unknown");
    }
}
