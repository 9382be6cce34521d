//! Reading GGUF's header from any byte stream: every count is checked before memory is asked for it.

use std::collections::BTreeMap;
use std::io::Read;

/// Bytes of header that are read at most. The largest vocabularies in use (262 144 tokens with their merges) need
/// about 20 MiB; a header beyond this is an attack or not a model.
pub const MAX_HEADER_BYTES: u64 = 64 << 20;
/// Metadata entries. Published models carry 20 to 60.
pub const MAX_ENTRIES: u64 = 4096;
/// Tensors. A 128-layer mixture model has about 2,000.
pub const MAX_TENSORS: u64 = 65_536;
/// Bytes of one string: the longest honest ones are chat templates, below 100 KiB.
pub const MAX_STRING: u64 = 4 << 20;
/// Bytes of a key or a tensor's name (the format's own limit for names is 64).
pub const MAX_NAME: u64 = 256;
/// Elements of an array that is kept. With [`KEPT_ARRAYS`] this bounds the memory of a header: two string arrays of
/// a mebi-element and the header's own text, together below [`MAX_HEADER_MEMORY`].
pub const MAX_ARRAY: u64 = 1 << 20;
/// What reading a header may hold in memory at any time: the text twice and 56 bytes for each kept string.
pub const MAX_HEADER_MEMORY: usize = 256 << 20;

/// Arrays that Banyan uses; every other array is skipped without being kept.
pub const KEPT_ARRAYS: [&str; 4] =
    ["tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.scores", "tokenizer.ggml.token_type"];

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any whole number.
    Int(i128),
    /// Either float.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// Text.
    Text(String),
    /// A kept array of text.
    Texts(Vec<String>),
    /// A kept array of numbers (the scores and types of tokens), widened.
    Numbers(Vec<f32>),
    /// An array that was skipped.
    Skipped,
}

/// A tensor as the header states it; nothing about it is checked yet but its dimensions' count.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTensor {
    /// Name.
    pub name: String,
    /// Dimensions, the contiguous one first.
    pub dims: Vec<u64>,
    /// ggml's number for the stored form.
    pub dtype: u32,
    /// Offset from the start of the data.
    pub offset: u64,
}

/// The header of a GGUF file.
#[derive(Debug, Clone, Default)]
pub struct Header {
    /// Format version: 2 or 3.
    pub version: u32,
    /// Metadata by key.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors in file order.
    pub tensors: Vec<RawTensor>,
    /// Bytes of the header, from the start of the file.
    pub bytes: u64,
}

/// Why a header was refused, with the name of the field; the caller adds the file.
pub type Refusal = String;

/// Reads a header. `available` is the length of the whole input: a count that could not fit in it is refused at once.
pub fn read_header(input: impl Read, available: u64) -> Result<Header, Refusal> {
    let limit = available.min(MAX_HEADER_BYTES);
    let mut reader = Reader { input, position: 0, limit, file_is_longer: available > limit };
    let magic: [u8; 4] = reader.bytes("the magic number")?;
    if &magic != b"GGUF" {
        return Err("it does not begin with `GGUF`".into());
    }
    let version = reader.u32("the version")?;
    match version {
        2 | 3 => {}
        1 => {
            return Err("it is GGUF version 1, which no tool writes any more; convert the model again".into());
        }
        v if matches!(v.swap_bytes(), 1..=3) => {
            return Err("it is a big-endian file; convert it to little-endian".into());
        }
        v => return Err(format!("its version is {v}; Banyan reads versions 2 and 3")),
    }
    let tensors = reader.count("the number of tensors", MAX_TENSORS, 24)?;
    let entries = reader.count("the number of metadata entries", MAX_ENTRIES, 13)?;
    let mut header = Header { version, ..Header::default() };
    for index in 0..entries {
        let key = reader.name(&format!("the key of metadata entry {index}"))?;
        let value = reader.value(&key)?;
        if header.metadata.insert(key.clone(), value).is_some() {
            return Err(format!("the metadata key `{}` occurs twice", key.escape_debug()));
        }
    }
    for index in 0..tensors {
        header.tensors.push(reader.tensor(index)?);
    }
    header.bytes = reader.position;
    Ok(header)
}

struct Reader<R> {
    input: R,
    position: u64,
    limit: u64,
    file_is_longer: bool,
}

impl<R: Read> Reader<R> {
    /// Refuses to go on when `wanted` bytes are more than what is left; nothing is allocated before this.
    fn claim(&mut self, wanted: u64, what: &str) -> Result<(), Refusal> {
        self.room(wanted, what)?;
        self.position += wanted;
        Ok(())
    }

    fn room(&self, wanted: u64, what: &str) -> Result<(), Refusal> {
        let left = self.limit - self.position;
        if wanted <= left {
            return Ok(());
        }
        if self.file_is_longer {
            return Err(format!("{what} would take its header beyond {} MiB", MAX_HEADER_BYTES >> 20));
        }
        Err(format!(
            "{what} needs {wanted} bytes at offset {}, but the file ends after {left}",
            self.position
        ))
    }

    fn bytes<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Refusal> {
        self.claim(N as u64, what)?;
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|e| format!("{what} cannot be read: {e}"))?;
        Ok(bytes)
    }

    fn u32(&mut self, what: &str) -> Result<u32, Refusal> {
        Ok(u32::from_le_bytes(self.bytes(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64, Refusal> {
        Ok(u64::from_le_bytes(self.bytes(what)?))
    }

    /// A count of things of which each takes at least `least` bytes of the file.
    fn count(&mut self, what: &str, most: u64, least: u64) -> Result<u64, Refusal> {
        let count = self.u64(what)?;
        if count > most {
            return Err(format!("{what} is {count}; at most {most} are accepted"));
        }
        self.room(count.saturating_mul(least), what)?;
        Ok(count)
    }

    fn text(&mut self, what: &str, most: u64) -> Result<String, Refusal> {
        let length = self.u64(what)?;
        if length > most {
            return Err(format!("{what} is {length} bytes long; at most {most} are accepted"));
        }
        self.claim(length, what)?;
        let mut bytes = vec![0; length as usize];
        self.input.read_exact(&mut bytes).map_err(|e| format!("{what} cannot be read: {e}"))?;
        String::from_utf8(bytes).map_err(|_| format!("{what} is not valid UTF-8"))
    }

    fn name(&mut self, what: &str) -> Result<String, Refusal> {
        self.text(what, MAX_NAME)
    }

    fn skip(&mut self, length: u64, what: &str) -> Result<(), Refusal> {
        self.claim(length, what)?;
        let skipped = std::io::copy(&mut self.input.by_ref().take(length), &mut std::io::sink());
        match skipped {
            Ok(n) if n == length => Ok(()),
            Ok(_) => Err(format!("{what} is cut short")),
            Err(e) => Err(format!("{what} cannot be read: {e}")),
        }
    }

    fn value(&mut self, key: &str) -> Result<Value, Refusal> {
        let what = format!("the metadata `{}`", key.escape_debug());
        let kind = self.u32(&what)?;
        self.scalar(kind, key, &what)
    }

    fn scalar(&mut self, kind: u32, key: &str, what: &str) -> Result<Value, Refusal> {
        Ok(match kind {
            0 => Value::Int(u8::from_le_bytes(self.bytes(what)?).into()),
            1 => Value::Int(i8::from_le_bytes(self.bytes(what)?).into()),
            2 => Value::Int(u16::from_le_bytes(self.bytes(what)?).into()),
            3 => Value::Int(i16::from_le_bytes(self.bytes(what)?).into()),
            4 => Value::Int(u32::from_le_bytes(self.bytes(what)?).into()),
            5 => Value::Int(i32::from_le_bytes(self.bytes(what)?).into()),
            6 => Value::Float(f32::from_le_bytes(self.bytes(what)?).into()),
            7 => Value::Bool(self.bytes::<1>(what)? != [0]),
            8 => Value::Text(self.text(what, MAX_STRING)?),
            9 => self.array(key, what)?,
            10 => Value::Int(self.u64(what)?.into()),
            11 => Value::Int(i64::from_le_bytes(self.bytes(what)?).into()),
            12 => Value::Float(f64::from_le_bytes(self.bytes(what)?)),
            other => return Err(format!("{what} has the unknown type {other}")),
        })
    }

    fn array(&mut self, key: &str, what: &str) -> Result<Value, Refusal> {
        let kind = self.u32(what)?;
        let size = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            9 => return Err(format!("{what} is an array of arrays, which no known model uses")),
            other => return Err(format!("{what} is an array of the unknown type {other}")),
        };
        let length = self.count(&format!("the length of {what}"), MAX_ARRAY, size)?;
        let kept = KEPT_ARRAYS.contains(&key);
        if kind == 8 {
            let mut texts = Vec::new();
            for _ in 0..length {
                let text = self.text(what, MAX_STRING)?;
                if kept {
                    texts.push(text);
                }
            }
            return Ok(if kept { Value::Texts(texts) } else { Value::Skipped });
        }
        if !kept {
            self.skip(length * size, what)?;
            return Ok(Value::Skipped);
        }
        let mut numbers = Vec::new();
        for _ in 0..length {
            numbers.push(match self.scalar(kind, key, what)? {
                Value::Int(n) => n as f32,
                Value::Float(n) => n as f32,
                _ => return Err(format!("{what} is not an array of numbers")),
            });
        }
        Ok(Value::Numbers(numbers))
    }

    fn tensor(&mut self, index: u64) -> Result<RawTensor, Refusal> {
        let name = self.name(&format!("the name of tensor {index}"))?;
        let what = format!("the tensor `{}`", name.escape_debug());
        let count = self.u32(&what)?;
        if !(1..=4).contains(&count) {
            return Err(format!("{what} has {count} dimensions; GGUF allows one to four"));
        }
        let dims = (0..count).map(|_| self.u64(&what)).collect::<Result<_, _>>()?;
        Ok(RawTensor { dims, dtype: self.u32(&what)?, offset: self.u64(&what)?, name })
    }
}
