//! The scales of keys and values that are kept in 8 bits.
//!
//! A graph of [`Variant::kv8`](banyan_modelpack::graph::Variant) keeps each channel of each head as `round(x / scale)`. The sizes of
//! the channels are the model's, hardly the text's; so they are taken once from a text in several languages and scripts, with
//! some room above, and remembered in a file that names the weights it is for. Measured on the starter model this costs a
//! divergence of 0.003 nats, less than what the rounding of activations costs.

use crate::error::EngineError;
use crate::forward::{Forward as _, LogitsWanted};
use crate::kv::{Element, KvLayout, KvPlan};
use crate::runner::{KvScales, OrtRunner};
use std::io::Write as _;
use std::path::Path;
use tokenizers::Tokenizer;

/// What the sizes are taken from.
const TEXT: &str = include_str!("calibrate.txt");

/// Tokens of it that are computed.
const TOKENS: usize = 512;

/// Room above the largest size that was seen.
const ROOM: f32 = 1.15;

/// A channel that is always zero still needs a scale.
const LEAST: f32 = 1e-8;

/// The scales of a model: from `file` when it is there and fits, else measured with `open`, which gives the graph that keeps
/// what was computed, and written to `file`. `None` for `file` measures each time.
pub(crate) fn scales(
    shape: &KvLayout,
    tokenizer: &Tokenizer,
    file: Option<&Path>,
    open: impl FnOnce(KvPlan) -> Result<OrtRunner, EngineError>,
) -> Result<KvScales, EngineError> {
    if let Some(known) = file.and_then(|file| read(file, shape)) {
        return Ok(known);
    }
    let encoding = tokenizer.encode_fast(TEXT, false).map_err(|e| EngineError::Tokenizer(e.to_string()))?;
    let tokens: Vec<u32> = encoding.get_ids().iter().copied().take(TOKENS.min(shape.capacity)).collect();
    let layout = KvLayout { slots: 1, capacity: tokens.len(), element: Element::F32, ..*shape };
    let mut runner = open(KvPlan::exact(layout))?;
    for (n, chunk) in tokens.chunks(128).enumerate() {
        runner.prefill(0, n * 128, chunk, 0, LogitsWanted::None)?;
    }
    let scales = KvScales(
        runner.channel_sizes().into_iter().map(|sizes| sizes.into_iter().map(step).collect()).collect(),
    );
    if let Some(file) = file
        && let Err(error) = write(file, &scales)
    {
        tracing::warn!(%error, file = %file.display(), "the scales of keys and values are not remembered; the next start measures again");
    }
    Ok(scales)
}

fn step(size: f32) -> f32 {
    (size * ROOM / 127.0).max(LEAST)
}

/// All scales one after the other, little end first.
fn read(file: &Path, shape: &KvLayout) -> Option<KvScales> {
    let bytes = std::fs::read(file).ok()?;
    let channels = shape.kv_heads * shape.head_dim;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || numbers.len() != shape.buffers() * channels {
        return None;
    }
    let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let all_sound = numbers.iter().all(|scale| scale.is_finite() && *scale > 0.0);
    all_sound.then(|| KvScales(numbers.chunks(channels).map(<[f32]>::to_vec).collect()))
}

/// Whole or not at all.
fn write(file: &Path, scales: &KvScales) -> std::io::Result<()> {
    let bytes: Vec<u8> = scales.0.iter().flatten().flat_map(|scale| scale.to_le_bytes()).collect();
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let beside = file.with_extension("new");
    let mut new = std::fs::File::create(&beside)?;
    new.write_all(&bytes)?;
    new.sync_all()?;
    std::fs::rename(&beside, file)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: KvLayout =
        KvLayout { layers: 1, kv_heads: 2, head_dim: 2, slots: 1, capacity: 8, element: Element::I8 };

    #[test]
    fn scales_come_back_as_written_and_those_of_another_model_or_a_broken_file_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kv/model.scales");
        assert_eq!(read(&file, &SHAPE), None);
        let scales = KvScales(vec![vec![0.5, 1.0, 2.0, 0.25], vec![1.0; 4]]);
        write(&file, &scales).unwrap();
        assert_eq!(read(&file, &SHAPE), Some(scales));
        assert_eq!(read(&file, &KvLayout { layers: 2, ..SHAPE }), None);
        std::fs::write(&file, [0xff; 32]).unwrap();
        assert_eq!(read(&file, &SHAPE), None, "not a number");
        std::fs::write(&file, [0; 31]).unwrap();
        assert_eq!(read(&file, &SHAPE), None, "cut short");
    }
}
