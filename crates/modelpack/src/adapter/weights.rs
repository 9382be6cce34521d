//! The tensors of an adapter pack, fused as the graph wants them while they are read.

use super::{AdapterError, MAX_RANK, Projection, damaged};
use crate::graph::contract::LoraModule;
use crate::manifest::Architecture;
use crate::source::Stored;
use crate::source::hf::{place, safetensors};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const BLOCK: usize = 1 << 20;

/// The opened tensors of an adapter; nothing of them is in memory.
#[derive(Debug)]
pub struct AdapterWeights {
    path: PathBuf,
    file: File,
    sizes: Architecture,
    /// First and second factor of each projection that is changed.
    parts: BTreeMap<(usize, Projection), [Stored; 2]>,
}

impl AdapterWeights {
    pub(super) fn open(path: &Path, sizes: &Architecture) -> Result<Self, AdapterError> {
        let io = |source| AdapterError::Io { path: path.display().to_string(), source };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let header = safetensors::read_header(BufReader::new(&file), length);
        let mut header = header.map_err(|what| damaged(path, format!("is not safetensors: {what}")))?;
        let mut parts = BTreeMap::new();
        for layer in 0..sizes.layers {
            for projection in Projection::ALL {
                let mut factor = |name: String| {
                    let raw = header.remove(&name)?;
                    Some(place(&name, &raw).map_err(|what| damaged(path, what)))
                };
                let factors = (factor(projection.lora_a(layer)), factor(projection.lora_b(layer)));
                let (a, b) = match factors {
                    (None, None) => continue,
                    (Some(a), Some(b)) => (a?, b?),
                    _ => {
                        let name = projection.name();
                        return Err(damaged(
                            path,
                            format!("has one factor alone of {name} in layer {layer}"),
                        ));
                    }
                };
                let (inputs, outputs) = (projection.inputs(sizes), projection.outputs(sizes));
                let fits = a.info.cols == inputs && b.info.rows == outputs && a.info.rows == b.info.cols;
                if !fits || a.info.rows > MAX_RANK {
                    return Err(damaged(
                        path,
                        format!("does not fit the model's {} in layer {layer}", projection.name()),
                    ));
                }
                parts.insert((layer, projection), [a, b]);
            }
        }
        if let Some(name) = header.keys().next() {
            return Err(damaged(path, format!("has the unknown tensor `{}`", name.escape_debug())));
        }
        Ok(Self { path: path.into(), file, sizes: sizes.clone(), parts })
    }

    /// The rank of a fused map: the ranks of its parts together; 0 where none is changed.
    pub fn rank(&self, module: LoraModule, layer: usize) -> usize {
        let parts = Projection::of(module).iter();
        parts.filter_map(|part| self.parts.get(&(layer, *part))).map(|[a, _]| a.info.rows).sum()
    }

    /// Bytes that it takes in memory, fused.
    pub fn memory_bytes(&self) -> u64 {
        let maps = (0..self.sizes.layers).flat_map(|i| LoraModule::ALL.into_iter().map(move |m| (i, m)));
        let numbers = maps.map(|(layer, module)| {
            let parts = Projection::of(module);
            let outputs: usize = parts.iter().map(|part| part.outputs(&self.sizes)).sum();
            self.rank(module, layer) as u64 * (parts[0].inputs(&self.sizes) + outputs) as u64
        });
        numbers.sum::<u64>() * size_of::<f32>() as u64
    }

    /// Writes the factors of a fused map into `a` (`[in, rank]`) and `b` (`[rank, out]`), which hold zeros. `rank` is at
    /// least [`AdapterWeights::rank`]; what is beyond stays zero.
    pub fn fill(
        &self,
        module: LoraModule,
        layer: usize,
        rank: usize,
        a: &mut [f32],
        b: &mut [f32],
    ) -> Result<(), AdapterError> {
        let outputs: usize = Projection::of(module).iter().map(|part| part.outputs(&self.sizes)).sum();
        let (mut first_rank, mut first_output) = (0, 0);
        for part in Projection::of(module) {
            if let Some([down, up]) = self.parts.get(&(layer, *part)) {
                self.rows(down, |row, values| {
                    let column = a.iter_mut().skip(first_rank + row).step_by(rank.max(1));
                    column.zip(values).for_each(|(place, value)| *place = *value);
                })?;
                self.rows(up, |row, values| {
                    let column =
                        b.iter_mut().skip(first_rank * outputs + first_output + row).step_by(outputs);
                    column.zip(values).for_each(|(place, value)| *place = *value);
                })?;
                first_rank += down.info.rows;
            }
            first_output += part.outputs(&self.sizes);
        }
        Ok(())
    }

    /// Reads the rows of a tensor one after another.
    fn rows(&self, stored: &Stored, mut take: impl FnMut(usize, &[f32])) -> Result<(), AdapterError> {
        super::import::stream(
            &self.file,
            &self.path,
            stored,
            BLOCK / stored.row_bytes.max(1),
            |first, values| {
                for (i, row) in values.chunks_exact(stored.info.cols.max(1)).enumerate() {
                    take(first + i, row);
                }
                Ok(())
            },
        )
    }
}
