//! Resident adapters as the graph wants them: for each layer and fused map one stack of all adapters.

use banyan_modelpack::AdapterError;
use banyan_modelpack::adapter::{AdapterWeights, Projection};
use banyan_modelpack::graph::contract::{self, LoraModule};
use banyan_modelpack::manifest::Architecture;
use ort::value::Tensor;

/// The adapters that rows may choose from. A table never changes: another set of adapters is another table.
///
/// Index 0 of each stack is zero, the base model. A stack is as wide as the largest rank in it; smaller ones are padded
/// with zeros. What no adapter changes is not there, and the graph then computes nothing for it.
pub struct AdapterTable {
    ids: Vec<u32>,
    tensors: Vec<(String, Tensor<f32>)>,
}

impl AdapterTable {
    /// Reads the adapters into memory; the first one gets index 1.
    pub(crate) fn build(
        sizes: &Architecture,
        adapters: &[(u32, &AdapterWeights)],
    ) -> Result<AdapterTable, TableError> {
        let mut tensors = Vec::new();
        let n = adapters.len() + 1;
        for (layer, module) in maps(sizes) {
            let rank = rank(adapters.iter().map(|(_, weights)| *weights), module, layer);
            if rank == 0 {
                continue;
            }
            let (inputs, outputs) = width(sizes, module);
            let mut a = vec![0f32; n * inputs * rank];
            let mut b = vec![0f32; n * rank * outputs];
            let own = a.chunks_exact_mut(inputs * rank).zip(b.chunks_exact_mut(rank * outputs)).skip(1);
            for ((a, b), (_, weights)) in own.zip(adapters) {
                weights.fill(module, layer, rank, a, b)?;
            }
            let a = Tensor::from_array(([n, inputs, rank], a))?;
            let b = Tensor::from_array(([n, rank, outputs], b))?;
            tensors.push((contract::lora_a(module, layer), a));
            tensors.push((contract::lora_b(module, layer), b));
        }
        Ok(AdapterTable { ids: adapters.iter().map(|(id, _)| *id).collect(), tensors })
    }

    /// Bytes that the table of these adapters takes.
    pub(crate) fn bytes<'a>(
        sizes: &Architecture,
        adapters: &(impl Iterator<Item = &'a AdapterWeights> + Clone),
    ) -> u64 {
        let n = adapters.clone().count() + 1;
        let numbers = maps(sizes).map(|(layer, module)| {
            let (inputs, outputs) = width(sizes, module);
            (n * rank(adapters.clone(), module, layer)) as u64 * (inputs + outputs) as u64
        });
        numbers.sum::<u64>() * size_of::<f32>() as u64
    }

    /// The index of an adapter in the stacks; 0 is the base model.
    pub(crate) fn index(&self, id: u32) -> Option<usize> {
        match id {
            0 => Some(0),
            _ => self.ids.iter().position(|known| *known == id).map(|at| at + 1),
        }
    }

    /// The stacks by the names of the graph's inputs.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor<f32>)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

/// Why a table was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    #[error("ONNX Runtime gave no tensor: {0}")]
    Runtime(#[from] ort::Error),
}

fn maps(sizes: &Architecture) -> impl Iterator<Item = (usize, LoraModule)> {
    (0..sizes.layers).flat_map(|layer| LoraModule::ALL.into_iter().map(move |module| (layer, module)))
}

/// Input and output features of a fused map.
fn width(sizes: &Architecture, module: LoraModule) -> (usize, usize) {
    let parts = Projection::of(module);
    (parts[0].inputs(sizes), parts.iter().map(|part| part.outputs(sizes)).sum())
}

/// The largest rank among adapters.
fn rank<'a>(adapters: impl Iterator<Item = &'a AdapterWeights>, module: LoraModule, layer: usize) -> usize {
    adapters.map(|weights| weights.rank(module, layer)).max().unwrap_or(0)
}
