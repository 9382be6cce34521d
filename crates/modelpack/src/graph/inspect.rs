//! What a written graph says of the model that the manifest does not.

use super::onnx::ModelProto;
use prost::Message as _;
use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;

/// Bytes of a graph; that of 126 layers has about 2 MiB, since weights are in a file of their own.
const MAX_GRAPH_BYTES: u64 = 64 << 20;

/// Whether a decoder's queries and keys are rotated as neighbouring pairs, as GGUF's llama family stores them, and not as the
/// two halves of a head, which is Hugging Face's order.
pub fn rotates_neighbours(graph: &Path) -> Result<bool> {
    let mut bytes = Vec::new();
    File::open(graph)?.take(MAX_GRAPH_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_GRAPH_BYTES {
        return Err(Error::other(format!("a graph has at most {} MiB", MAX_GRAPH_BYTES >> 20)));
    }
    let nodes = ModelProto::decode(&*bytes).map_err(Error::other)?.graph.unwrap_or_default().node;
    let attention = nodes.iter().find(|node| node.op_type == "GroupQueryAttention");
    let attention = attention.ok_or_else(|| Error::other("it is not the graph of a decoder"))?;
    let interleaved = attention.attribute.iter().find(|attribute| attribute.name == "rotary_interleaved");
    Ok(interleaved.and_then(|attribute| attribute.i) == Some(1))
}
