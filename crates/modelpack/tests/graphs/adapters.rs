//! The graph with adapter inputs, run by ONNX Runtime: what an adapter changes, and that nothing changes without one.

use crate::session::{Cache, Inputs, logits, open};
use banyan_modelpack::graph::contract::{self, LoraModule};
use banyan_modelpack::graph::{Bits, BuildOptions, GRAPH_FILE, Variant, write_decoder};
use banyan_modelpack::source::DType;
use banyan_modelpack::source::hf::{HfFolder, HfModel};
use banyan_modelpack::testing::{Random, Tiny, TinyFamily};
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
use std::path::Path;

const PROMPT: [u32; 6] = [5, 77, 130, 9, 201, 64];
const RANK: usize = 4;

fn build(tiny: &Tiny, dir: &Path) {
    let source = dir.join("source");
    tiny.write_folder(&source, DType::F32).unwrap();
    let folder = HfFolder::open(&source).unwrap();
    let HfModel::Decoder(config) = folder.model().unwrap() else {
        unreachable!("the tiny model is a decoder")
    };
    let options = BuildOptions { bits: Bits::Eight, max_positions: 64 };
    write_decoder(&config, &folder, dir, &options, &mut |_, _| ()).unwrap();
}

/// The logits after the prompt, for each of `rows` equal rows.
fn last_logits(session: &mut Session, tiny: &Tiny, rows: usize, more: Inputs) -> Vec<Vec<f32>> {
    let cache = Cache { layers: tiny.layers, kv_heads: tiny.kv_heads, head_dim: tiny.head_dim };
    logits(session, cache, &PROMPT, rows, &[PROMPT.len() - 1], more)
}

fn index(rows: &[i64]) -> (String, SessionInputValue<'static>) {
    let tensor = Tensor::from_array(([rows.len()], rows.to_vec())).unwrap();
    (contract::ADAPTER_IDX.into(), tensor.into())
}

/// Size of the difference against the size of `truth`.
pub(crate) fn distance(truth: &[f32], other: &[f32]) -> f32 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    norm(&mut truth.iter().zip(other).map(|(a, b)| a - b)) / norm(&mut truth.iter().copied())
}

#[test]
fn without_an_adapter_the_answer_is_the_base_models_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = Tiny::new(TinyFamily::Llama, 3);
    build(&tiny, dir.path());
    let base = last_logits(&mut open(&dir.path().join(GRAPH_FILE)), &tiny, 2, Vec::new());
    let unfed =
        last_logits(&mut open(&dir.path().join(Variant::LORA.file())), &tiny, 2, vec![index(&[0, 0])]);
    assert_eq!(base, unfed);
}

#[test]
fn each_row_answers_with_its_own_adapter_as_if_it_were_merged_into_the_weights() {
    for module in LoraModule::ALL {
        let dir = tempfile::tempdir().unwrap();
        let tiny = Tiny::new(TinyFamily::Qwen2, 11);
        build(&tiny, dir.path());
        // Opened first: values need the runtime.
        let mut session = open(&dir.path().join(Variant::LORA.file()));
        // The targets of each fused module, in its order.
        let targets: &[&str] = match module {
            LoraModule::Qkv => &["attn_q", "attn_k", "attn_v"],
            LoraModule::O => &["attn_output"],
            LoraModule::GateUp => &["ffn_gate", "ffn_up"],
            LoraModule::Down => &["ffn_down"],
        };
        let weight = |target: &&str| &tiny.tensors[&format!("blk.1.{target}.weight")];
        let inputs = weight(&targets[0]).cols;
        let outputs: usize = targets.iter().map(|target| weight(target).rows).sum();
        let mut random = Random(module as u64 + 1);
        // Adapter 0 is zero; adapter 1 is not.
        let mut a = vec![0f32; inputs * RANK];
        let mut b = vec![0f32; RANK * outputs];
        a.extend(random.values(inputs * RANK, 0.08));
        b.extend(random.values(RANK * outputs, 0.3));
        let (own_a, own_b) = (a[inputs * RANK..].to_vec(), b[RANK * outputs..].to_vec());
        let feed_a = Tensor::from_array(([2, inputs, RANK], a)).unwrap();
        let feed_b = Tensor::from_array(([2, RANK, outputs], b)).unwrap();
        let feeds = vec![
            index(&[0, 1]),
            (contract::lora_a(module, 1), feed_a.into()),
            (contract::lora_b(module, 1), feed_b.into()),
        ];
        let adapted = last_logits(&mut session, &tiny, 2, feeds);

        let mut merged = tiny.clone();
        let mut first = 0;
        for target in targets {
            let tensor = merged.tensors.get_mut(&format!("blk.1.{target}.weight")).unwrap();
            for row in 0..tensor.rows {
                for col in 0..inputs {
                    let change: f32 =
                        (0..RANK).map(|r| own_a[col * RANK + r] * own_b[r * outputs + first + row]).sum();
                    tensor.values[row * inputs + col] += change;
                }
            }
            first += tensor.rows;
        }
        let merged_dir = tempfile::tempdir().unwrap();
        build(&merged, merged_dir.path());
        let merged = last_logits(&mut open(&merged_dir.path().join(GRAPH_FILE)), &tiny, 1, Vec::new());
        let base = last_logits(&mut open(&dir.path().join(GRAPH_FILE)), &tiny, 1, Vec::new());
        // Eight-bit rounding differs between W and W + BA; the adapter's own change is far larger.
        assert!(distance(&base[0], &adapted[0]) < 0.02, "{module:?}: the row without an adapter changed");
        let change = distance(&base[0], &merged[0]);
        assert!(change > 0.05, "{module:?}: the adapter is too small to test anything: {change}");
        let error = distance(&merged[0], &adapted[1]);
        assert!(error < change / 4.0, "{module:?}: {error} from the merged weights, of a change of {change}");
    }
}
