//! The header of a safetensors file: a length, then JSON that names every tensor's form, shape and place.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

/// Bytes of a header. A 128-layer model needs about 200 KiB; the format's own limit is 100 MB.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;
/// Tensors of one file.
pub const MAX_TENSORS: usize = 65_536;

/// One tensor as the header states it, its place already checked against the file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTensor {
    /// Stored form, in the format's own spelling (`F32`, `BF16`, `I64` …).
    pub dtype: String,
    /// Shape, the contiguous dimension last.
    pub shape: Vec<u64>,
    /// First byte and the byte after the last, from the start of the data.
    pub data_offsets: [u64; 2],
}

/// Reads and checks a header; returns the tensors by name, with offsets from the start of the *file*.
/// Refusals name the field; the caller adds the file.
pub fn read_header(mut input: impl Read, length: u64) -> Result<BTreeMap<String, RawTensor>, String> {
    let mut size = [0; 8];
    input
        .read_exact(&mut size)
        .map_err(|_| "it is shorter than the eight bytes that every file begins with".to_string())?;
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER_BYTES {
        return Err(format!("its header claims {size} bytes; at most {MAX_HEADER_BYTES} are accepted"));
    }
    if size > length.saturating_sub(8) {
        return Err(format!("its header claims {size} bytes, but the file has {length}"));
    }
    let mut bytes = vec![0; size as usize];
    input.read_exact(&mut bytes).map_err(|e| format!("its header cannot be read: {e}"))?;
    let Entries(mut tensors) = serde_json::from_slice(&bytes)
        .map_err(|e| format!("its header is not what the format asks for: {e}"))?;
    let start = 8 + size;
    for (name, tensor) in &mut tensors {
        check(tensor, length - start)
            .map_err(|what| format!("the tensor `{}` {what}", name.escape_debug()))?;
        tensor.data_offsets = tensor.data_offsets.map(|offset| offset + start);
    }
    refuse_overlaps(&tensors)?;
    Ok(tensors)
}

fn check(tensor: &RawTensor, data: u64) -> Result<(), String> {
    let size = match tensor.dtype.as_str() {
        "F64" | "I64" | "U64" => 8,
        "F32" | "I32" | "U32" => 4,
        "F16" | "BF16" | "I16" | "U16" => 2,
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => 1,
        other => return Err(format!("has the unknown form `{}`", other.escape_debug())),
    };
    let [begin, end] = tensor.data_offsets;
    let wanted = tensor.shape.iter().try_fold(size, |product: u64, dim| product.checked_mul(*dim));
    if tensor.shape.len() > 8 || wanted.is_none() {
        return Err("has an absurd shape".into());
    }
    if end > data || begin > end {
        return Err(format!("reaches from byte {begin} to {end} of {data} bytes of data"));
    }
    if wanted != Some(end - begin) {
        return Err(format!(
            "has {} bytes, which its shape {:?} in {} contradicts",
            end - begin,
            tensor.shape,
            tensor.dtype
        ));
    }
    Ok(())
}

fn refuse_overlaps(tensors: &BTreeMap<String, RawTensor>) -> Result<(), String> {
    let mut places: Vec<_> = tensors.iter().filter(|(_, t)| t.data_offsets[0] < t.data_offsets[1]).collect();
    places.sort_by_key(|(_, tensor)| tensor.data_offsets);
    match places.windows(2).find(|pair| pair[0].1.data_offsets[1] > pair[1].1.data_offsets[0]) {
        Some(pair) => Err(format!(
            "the tensors `{}` and `{}` overlap",
            pair[0].0.escape_debug(),
            pair[1].0.escape_debug()
        )),
        None => Ok(()),
    }
}

/// The header's object; a name that occurs twice is an error, as two readers would see two different models.
struct Entries(BTreeMap<String, RawTensor>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut tensors = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<serde::de::IgnoredAny>()?;
                        continue;
                    }
                    let tensor = map.next_value()?;
                    if tensors.len() == MAX_TENSORS {
                        return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
                    }
                    if tensors.contains_key(&name) {
                        return Err(A::Error::custom(format!(
                            "the tensor `{}` occurs twice",
                            name.escape_debug()
                        )));
                    }
                    tensors.insert(name, tensor);
                }
                Ok(Entries(tensors))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}
