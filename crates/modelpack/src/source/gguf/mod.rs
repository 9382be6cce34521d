//! GGUF files (versions 2 and 3), read by position: no memory map, so a file that shrinks under us is an error and
//! not a crash, and a model of any size passes through the buffers of the caller.

mod config;
pub mod reader;

pub use config::decoder_config;

use super::{DType, SourceError, Stored, TensorInfo, WeightSource};
use reader::{Header, RawTensor, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Columns of a tensor: a row of floats stays below 4 MiB. The widest layers in use have 53 248.
pub const MAX_COLS: u64 = 1 << 20;
/// Rows of a tensor. The largest vocabularies have 262 144.
pub const MAX_ROWS: u64 = 1 << 24;

/// An opened GGUF file: its header, and its tensors by position.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    file: File,
    header: Header,
    tensors: BTreeMap<String, Stored>,
}

impl Gguf {
    /// Opens `path` and checks its whole header: afterwards every tensor is known to lie inside the file.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let io = |source| SourceError::Io { path: path.display().to_string(), source };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let malformed = |what| SourceError::Malformed { path: path.display().to_string(), what };
        let header = reader::read_header(BufReader::new(&file), length).map_err(malformed)?;
        let start = data_start(&header).map_err(malformed)?;
        let mut tensors = BTreeMap::new();
        for raw in &header.tensors {
            let dtype = dtype(raw)
                .map_err(|what| SourceError::Unsupported { path: path.display().to_string(), what })?;
            let placed = place(raw, dtype, start, length).map_err(malformed)?;
            if tensors.insert(raw.name.clone(), placed).is_some() {
                return Err(malformed(format!("the tensor `{}` occurs twice", raw.name.escape_debug())));
            }
        }
        refuse_overlaps(&tensors).map_err(malformed)?;
        Ok(Self { path: path.into(), file, header, tensors })
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The metadata value of `key`.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.header.metadata.get(key)
    }

    /// The metadata text of `key`, when there is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The whole number of `key`; a value of another type is a malformed file.
    pub fn int(&self, key: &str) -> Result<Option<u64>, SourceError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Int(n)) => match u64::try_from(*n) {
                Ok(n) => Ok(Some(n)),
                Err(_) => Err(self.malformed(format!("the metadata `{key}` is {n}"))),
            },
            Some(_) => Err(self.malformed(format!("the metadata `{key}` is not a whole number"))),
        }
    }

    /// The number of `key`; a value of another type is a malformed file.
    pub fn float(&self, key: &str) -> Result<Option<f64>, SourceError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Float(n)) => Ok(Some(*n)),
            Some(Value::Int(n)) => Ok(Some(*n as f64)),
            Some(_) => Err(self.malformed(format!("the metadata `{key}` is not a number"))),
        }
    }

    /// The boolean of `key`, when there is one.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.value(key) {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// A [`SourceError::Malformed`] about this file.
    pub fn malformed(&self, what: impl Into<String>) -> SourceError {
        SourceError::Malformed { path: self.describe(), what: what.into() }
    }

    /// A [`SourceError::Unsupported`] about this file.
    pub fn unsupported(&self, what: impl Into<String>) -> SourceError {
        SourceError::Unsupported { path: self.describe(), what: what.into() }
    }
}

impl WeightSource for Gguf {
    fn info(&self, name: &str) -> Option<TensorInfo> {
        self.tensors.get(name).map(|placed| placed.info.clone())
    }

    fn read_rows(
        &self,
        name: &str,
        first: usize,
        count: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SourceError> {
        let placed =
            self.tensors.get(name).ok_or_else(|| self.malformed(format!("it has no tensor `{name}`")))?;
        placed.read_rows(&self.file, &self.path, name, first..first.saturating_add(count), out)
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}

/// Where the data begins: the end of the header, rounded up to the file's own alignment.
fn data_start(header: &Header) -> Result<u64, String> {
    let alignment = match header.metadata.get("general.alignment") {
        None => 32,
        Some(Value::Int(n)) => u64::try_from(*n).unwrap_or(0),
        Some(_) => 0,
    };
    if !alignment.is_power_of_two() || !(8..=65_536).contains(&alignment) {
        return Err("`general.alignment` is not a power of two from 8 to 65536".into());
    }
    Ok(header.bytes.next_multiple_of(alignment))
}

/// ggml's numbers for the stored forms.
fn dtype(raw: &RawTensor) -> Result<DType, String> {
    Ok(match raw.dtype {
        0 => DType::F32,
        1 => DType::F16,
        2 => DType::Q4_0,
        3 => DType::Q4_1,
        6 => DType::Q5_0,
        7 => DType::Q5_1,
        8 => DType::Q8_0,
        12 => DType::Q4_K,
        13 => DType::Q5_K,
        14 => DType::Q6_K,
        30 => DType::BF16,
        other => {
            return Err(format!(
                "the tensor `{}` is stored in ggml form {other}{}, which Banyan does not read; take a file in F32, \
                 F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K",
                raw.name.escape_debug(),
                form_name(other).map(|n| format!(" ({n})")).unwrap_or_default(),
            ));
        }
    })
}

fn form_name(dtype: u32) -> Option<&'static str> {
    Some(match dtype {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16..=23 | 29 => "an IQ form",
        24..=27 => "whole numbers",
        28 => "F64",
        34 | 35 => "a ternary form",
        39 => "MXFP4",
        _ => return None,
    })
}

fn place(raw: &RawTensor, dtype: DType, start: u64, length: u64) -> Result<Stored, String> {
    let name = raw.name.escape_debug();
    let cols = raw.dims[0];
    let rows = raw.dims[1..].iter().try_fold(1u64, |product, dim| product.checked_mul(*dim));
    let (cols, rows) = match rows {
        Some(rows) if (1..=MAX_COLS).contains(&cols) && (1..=MAX_ROWS).contains(&rows) => {
            (cols as usize, rows as usize)
        }
        _ => return Err(format!("the tensor `{name}` has the absurd dimensions {:?}", raw.dims)),
    };
    let row_bytes = dtype.row_bytes(cols).ok_or_else(|| {
        format!(
            "the tensor `{name}` has rows of {cols} weights, not a multiple of the {} of a {dtype:?} block",
            dtype.block_len()
        )
    })?;
    if !raw.offset.is_multiple_of(8) {
        return Err(format!("the tensor `{name}` begins at the unaligned offset {}", raw.offset));
    }
    let bytes = row_bytes as u64 * rows as u64;
    let place = start.checked_add(raw.offset).and_then(|start| Some((start, start.checked_add(bytes)?)));
    match place {
        Some((start, end)) if end <= length => {
            Ok(Stored { info: TensorInfo { dtype, rows, cols }, row_bytes, start, end })
        }
        _ => Err(format!(
            "the tensor `{name}` ({bytes} bytes at offset {}) reaches beyond the end of the file ({length} bytes)",
            raw.offset
        )),
    }
}

fn refuse_overlaps(tensors: &BTreeMap<String, Stored>) -> Result<(), String> {
    let mut by_start: Vec<_> = tensors.iter().collect();
    by_start.sort_by_key(|(_, placed)| placed.start);
    match by_start.windows(2).find(|pair| pair[0].1.end > pair[1].1.start) {
        Some(pair) => Err(format!(
            "the tensors `{}` and `{}` overlap",
            pair[0].0.escape_debug(),
            pair[1].0.escape_debug()
        )),
        None => Ok(()),
    }
}
