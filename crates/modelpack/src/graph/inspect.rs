//! What a written graph says of the model that the manifest does not.

use super::WEIGHTS_FILE;
use super::onnx::{ElementType, GraphProto, ModelProto, TensorProto};
use prost::Message as _;
use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;

/// Bytes of a graph; that of 126 layers has about 2 MiB, since weights are in a file of their own.
const MAX_GRAPH_BYTES: u64 = 64 << 20;

/// Whether a decoder's queries and keys are rotated as neighbouring pairs, as GGUF's llama family stores them, and not as the
/// two halves of a head, which is Hugging Face's order.
pub fn rotates_neighbours(graph: &Path) -> Result<bool> {
    let nodes = read(graph)?.node;
    let attention = nodes.iter().find(|node| node.op_type == "GroupQueryAttention");
    let attention = attention.ok_or_else(|| Error::other("it is not the graph of a decoder"))?;
    let interleaved = attention.attribute.iter().find(|attribute| attribute.name == "rotary_interleaved");
    Ok(interleaved.and_then(|attribute| attribute.i) == Some(1))
}

/// A tensor of a graph that stands in the file of weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightPlace {
    /// The graph's name for it.
    pub name: String,
    /// What its numbers are.
    pub element: WeightElement,
    /// Its shape.
    pub dims: Vec<i64>,
    /// Its first byte in the file.
    pub offset: u64,
    /// Its length, which is what the shape asks for.
    pub bytes: u64,
}

/// What the numbers of a weight are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightElement {
    /// Floats.
    F32,
    /// Bytes: packed integers.
    U8,
}

/// Where a graph's weights stand. Those of other kinds, or whose length contradicts their shape, are left out.
pub fn weight_places(graph: &Path) -> Result<Vec<WeightPlace>> {
    Ok(read(graph)?.initializer.into_iter().filter_map(place).collect())
}

fn place(tensor: TensorProto) -> Option<WeightPlace> {
    let field =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|e| e.value.as_str());
    if field("location") != Some(WEIGHTS_FILE) {
        return None;
    }
    let (offset, bytes) = (field("offset")?.parse().ok()?, field("length")?.parse::<u64>().ok()?);
    let (element, size) = match ElementType::try_from(tensor.data_type).ok()? {
        ElementType::Float => (WeightElement::F32, 4),
        ElementType::Uint8 => (WeightElement::U8, 1),
        _ => return None,
    };
    let wanted =
        tensor.dims.iter().try_fold(size, |product: u64, dim| product.checked_mul(u64::try_from(*dim).ok()?));
    (wanted == Some(bytes)).then_some(WeightPlace {
        name: tensor.name,
        element,
        dims: tensor.dims,
        offset,
        bytes,
    })
}

fn read(graph: &Path) -> Result<GraphProto> {
    let mut bytes = Vec::new();
    File::open(graph)?.take(MAX_GRAPH_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_GRAPH_BYTES {
        return Err(Error::other(format!("a graph has at most {} MiB", MAX_GRAPH_BYTES >> 20)));
    }
    Ok(ModelProto::decode(&*bytes).map_err(Error::other)?.graph.unwrap_or_default())
}
