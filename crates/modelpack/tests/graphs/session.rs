//! Running a graph by its contract, one prompt at a time.

use banyan_modelpack::graph::contract;
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
use std::path::Path;
use std::sync::OnceLock;

/// A process has one.
static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();

pub(crate) type Inputs = Vec<(String, SessionInputValue<'static>)>;

pub(crate) fn open(path: &Path) -> Session {
    let environment = ENVIRONMENT.get_or_init(|| {
        let library = std::env::var("BANYAN_ORT_LIB")
            .expect("BANYAN_ORT_LIB names ONNX Runtime's library; `cargo xtask test` sets it");
        ort::init_from(library).unwrap().build().unwrap()
    });
    Session::builder(environment).unwrap().with_intra_threads(1).unwrap().commit_from_file(path).unwrap()
}

/// Sizes of the key/value memory.
#[derive(Clone, Copy)]
pub(crate) struct Cache {
    pub(crate) layers: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
}

/// The logits at the `wanted` positions of `rows` equal prompts: row by row, position by position.
pub(crate) fn logits(
    session: &mut Session,
    cache: Cache,
    prompt: &[u32],
    rows: usize,
    wanted: &[usize],
    more: Inputs,
) -> Vec<Vec<f32>> {
    let length = prompt.len();
    let ids: Vec<i64> = prompt.iter().map(|id| i64::from(*id)).cycle().take(rows * length).collect();
    let flat: Vec<i64> =
        (0..rows).flat_map(|row| wanted.iter().map(move |at| (row * length + at) as i64)).collect();
    let mut inputs = more;
    inputs.push((contract::INPUT_IDS.into(), Tensor::from_array(([rows, length], ids)).unwrap().into()));
    let before = vec![length as i32 - 1; rows];
    inputs.push((contract::SEQLENS_K.into(), Tensor::from_array(([rows], before)).unwrap().into()));
    let total = Tensor::from_array(((), vec![length as i32])).unwrap();
    inputs.push((contract::TOTAL_LEN.into(), total.into()));
    let new = vec![length as i32; rows];
    inputs.push((contract::QUERY_LENS.into(), Tensor::from_array(([rows], new)).unwrap().into()));
    inputs.push((contract::LOGIT_IDX.into(), Tensor::from_array(([flat.len()], flat)).unwrap().into()));
    for layer in 0..cache.layers {
        for name in [contract::past_k(layer), contract::past_v(layer)] {
            let shape = [rows, cache.kv_heads, length, cache.head_dim];
            let empty = vec![0f32; shape.iter().product()];
            inputs.push((name, Tensor::from_array((shape, empty)).unwrap().into()));
        }
    }
    let outputs = session.run(inputs).unwrap();
    let (shape, logits) = outputs[contract::LOGITS].try_extract_tensor::<f32>().unwrap();
    logits.chunks(shape[1] as usize).map(<[f32]>::to_vec).collect()
}
