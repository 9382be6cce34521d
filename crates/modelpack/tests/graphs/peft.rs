//! An imported adapter, fed to the graph beside its base, against the adapter merged into the weights before import.

use crate::adapters::distance;
use crate::session::{Cache, Inputs, logits, open};
use banyan_modelpack::adapter::{AdapterOptions, import as import_adapter};
use banyan_modelpack::graph::contract::{self, LoraModule};
use banyan_modelpack::graph::{Bits, Variant};
use banyan_modelpack::source::DType;
use banyan_modelpack::testing::peft::PeftAdapter;
use banyan_modelpack::testing::{Tiny, TinyFamily};
use banyan_modelpack::{AdapterStore, ImportOptions, Pack, Store, import};
use ort::value::Tensor;
use serde_json::json;
use std::path::Path;

const PROMPT: [u32; 6] = [5, 77, 130, 9, 201, 64];
const ALL: [&str; 7] = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];

/// Where a model comes from: the two kinds of source keep queries and keys in different orders.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Folder,
    Gguf,
}

fn pack(tiny: &Tiny, origin: Origin, dir: &Path) -> Pack {
    let source = match origin {
        Origin::Folder => dir.join("source"),
        Origin::Gguf => dir.join("source.gguf"),
    };
    match origin {
        Origin::Folder => tiny.write_folder(&source, DType::F32).unwrap(),
        Origin::Gguf => std::fs::write(&source, tiny.gguf(DType::F32).to_bytes()).unwrap(),
    }
    let options = ImportOptions { name: Some("tiny".into()), bits: Bits::Eight, max_positions: Some(64) };
    import(&source, &Store::new(dir.join("models")), &options, &mut |_| ()).unwrap()
}

fn last_logits(
    pack: &Pack,
    tiny: &Tiny,
    variant: Variant,
    rows: usize,
    feeds: impl FnOnce() -> Inputs,
) -> Vec<Vec<f32>> {
    let mut session = open(&pack.variant_path(variant).unwrap());
    let cache = Cache { layers: tiny.layers, kv_heads: tiny.kv_heads, head_dim: tiny.head_dim };
    logits(&mut session, cache, &PROMPT, rows, &[PROMPT.len() - 1], feeds())
}

/// Index 0 without a change, index 1 the adapter; a rank more than needed shows that the rest stays zero.
fn feeds(pack: &Pack, weights: &banyan_modelpack::adapter::AdapterWeights) -> Inputs {
    let sizes = &pack.manifest().architecture;
    let mut feeds: Inputs =
        vec![(contract::ADAPTER_IDX.into(), Tensor::from_array(([2], vec![0i64, 1])).unwrap().into())];
    for layer in 0..sizes.layers {
        for module in LoraModule::ALL {
            let parts = banyan_modelpack::adapter::Projection::of(module);
            let (inputs, outputs) =
                (parts[0].inputs(sizes), parts.iter().map(|part| part.outputs(sizes)).sum::<usize>());
            let rank = weights.rank(module, layer) + 1;
            let (mut a, mut b) = (vec![0f32; 2 * inputs * rank], vec![0f32; 2 * rank * outputs]);
            let (own_a, own_b) = (&mut a[inputs * rank..], &mut b[rank * outputs..]);
            weights.fill(module, layer, rank, own_a, own_b).unwrap();
            let a = Tensor::from_array(([2, inputs, rank], a)).unwrap();
            let b = Tensor::from_array(([2, rank, outputs], b)).unwrap();
            feeds.push((contract::lora_a(module, layer), a.into()));
            feeds.push((contract::lora_b(module, layer), b.into()));
        }
    }
    feeds
}

/// Base and adapter through the graph, against the merged weights.
fn check(what: &str, family: TinyFamily, origin: Origin, scale: f32, change: impl FnOnce(&mut PeftAdapter)) {
    let dir = tempfile::tempdir().unwrap();
    let tiny = Tiny::new(family, 5);
    let base = pack(&tiny, origin, dir.path());
    let mut adapter = PeftAdapter::new(&tiny, &ALL, 4, 3);
    change(&mut adapter);
    adapter.write(&tiny, &dir.path().join("peft")).unwrap();
    let store = AdapterStore::new(dir.path().join("adapters"));
    let imported =
        import_adapter(&dir.path().join("peft"), &base, &store, &AdapterOptions::default()).unwrap();
    imported.verify().unwrap();
    let weights = imported.weights(base.manifest()).unwrap();

    let plain = last_logits(&base, &tiny, Variant::PLAIN, 1, Vec::new);
    let adapted = last_logits(&base, &tiny, Variant::LORA, 2, || feeds(&base, &weights));
    let merged_dir = tempfile::tempdir().unwrap();
    let merged = pack(&adapter.merged_into(&tiny, scale), origin, merged_dir.path());
    let merged = last_logits(&merged, &tiny, Variant::PLAIN, 1, Vec::new);

    let size = distance(&plain[0], &merged[0]);
    let error = distance(&merged[0], &adapted[1]);
    println!("{what}: changed by {size:.3}, {error:.4} from the merged weights");
    assert!(distance(&plain[0], &adapted[0]) < 0.02, "{what}: the row without an adapter changed");
    assert!(size > 0.2, "{what}: the adapter is too small to test anything: {size}");
    // What is left is the rounding of activations to eight bits, and of W + BA against W.
    assert!(error < size / 8.0, "{what}: {error} from the merged weights, of a change of {size}");
}

#[test]
fn an_imported_adapter_answers_like_weights_it_was_merged_into_whatever_the_order_of_heads() {
    check("llama, folder", TinyFamily::Llama, Origin::Folder, 2.0, |_| ());
    check("llama, gguf (interleaved)", TinyFamily::Llama, Origin::Gguf, 2.0, |_| ());
    check("qwen2, gguf", TinyFamily::Qwen2, Origin::Gguf, 2.0, |_| ());
    check("qwen3, folder", TinyFamily::Qwen3, Origin::Folder, 2.0, |_| ());
}

#[test]
fn the_rank_stabilized_scale_and_modules_left_out_are_as_peft_means_them() {
    check("rslora", TinyFamily::Llama, Origin::Gguf, 4.0, |adapter| {
        adapter.config["use_rslora"] = json!(true);
    });
    check("keys and gates of one layer alone", TinyFamily::Llama, Origin::Gguf, 4.0, |adapter| {
        adapter.config["alpha_pattern"] = json!({"k_proj": 16, "layers.1.mlp.gate_proj": 16});
        adapter.parts.retain(|name, _| name == "blk.1.ffn_gate.weight" || name == "blk.0.attn_k.weight");
    });
}
