//! Parity: our graphs on ONNX Runtime beside candle's own implementations on the same weights.
//!
//! Top-1 agreement and Kullback-Leibler divergence over a text. Ours rounds activations to eight bits, so the two never
//! agree to the bit; a wrong rotation, norm, bias or mask shows as a divergence many times the limits.

use crate::session::{Cache, logits, open};
use banyan_modelpack::graph::{
    Bits, BuildOptions, GRAPH_FILE, contract, write_decoder, write_encoder, write_reranker,
};
use banyan_modelpack::source::hf::{HfFolder, HfModel};
use banyan_modelpack::source::{DType, gguf};
use banyan_modelpack::testing::{Tiny, TinyFamily};
use candle_core::{Device, IndexOp, Tensor};
use candle_nn::{Module, VarBuilder};
use candle_transformers::models::{bert, llama, mistral, quantized_llama, qwen2, qwen3};
use std::path::{Path, PathBuf};

const PROSE: &str = include_str!("../../../../tests/data/human-rights.txt");
/// Tokens of the text that the tiny models read: bytes, since they have a byte vocabulary.
const TINY_TOKENS: usize = 120;
/// Tokens that the starter model reads.
const STARTER_TOKENS: usize = 200;

/// How two models' predictions compare over a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parity {
    pub(crate) kl: f64,
    pub(crate) top1: f64,
}

pub(crate) fn compare(truth: &[Vec<f32>], other: &[Vec<f32>]) -> Parity {
    assert_eq!(truth.len(), other.len());
    let argmax = |row: &[f32]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
    let agreed = truth.iter().zip(other).filter(|(p, q)| argmax(p) == argmax(q)).count();
    let kl: f64 = truth.iter().zip(other).map(|(p, q)| divergence(&log_softmax(p), &log_softmax(q))).sum();
    Parity { kl: kl / truth.len() as f64, top1: agreed as f64 / truth.len() as f64 }
}

fn log_softmax(row: &[f32]) -> Vec<f64> {
    let most = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = row.iter().map(|v| (f64::from(*v) - most).exp()).sum();
    row.iter().map(|v| f64::from(*v) - most - sum.ln()).collect()
}

fn divergence(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum()
}

#[track_caller]
fn check(what: &str, parity: Parity, most_kl: f64, least_top1: f64) {
    println!("parity {what}: KL {:.5}, top-1 {:.3}", parity.kl, parity.top1);
    assert!(parity.kl <= most_kl && parity.top1 >= least_top1, "{what}: {parity:?}");
}

pub(crate) fn tiny_prompt() -> Vec<u32> {
    PROSE.bytes().take(TINY_TOKENS).map(u32::from).collect()
}

pub(crate) fn ours(tiny: &Tiny, graph: &Path, prompt: &[u32]) -> Vec<Vec<f32>> {
    let cache = Cache { layers: tiny.layers, kv_heads: tiny.kv_heads, head_dim: tiny.head_dim };
    let all: Vec<usize> = (0..prompt.len()).collect();
    logits(&mut open(graph), cache, prompt, 1, &all, Vec::new())
}

pub(crate) fn build_folder(source: &Path, out: &Path) -> PathBuf {
    let folder = HfFolder::open(source).unwrap();
    let options = BuildOptions { bits: Bits::Eight, max_positions: 512 };
    std::fs::create_dir_all(out).unwrap();
    match folder.model().unwrap() {
        HfModel::Decoder(config) => write_decoder(&config, &folder, out, &options, &mut |_, _| ()),
        HfModel::Encoder(config) => write_encoder(&config, &folder, out, &options, &mut |_, _| ()),
        HfModel::Reranker(config) => write_reranker(&config, &folder, out, &options, &mut |_, _| ()),
    }
    .unwrap();
    out.join(GRAPH_FILE)
}

/// Candle's logits after every token, fed one at a time.
fn one_by_one(prompt: &[u32], mut step: impl FnMut(&Tensor, usize) -> Tensor) -> Vec<Vec<f32>> {
    let row = |(at, id): (usize, &u32)| {
        let input = Tensor::new(&[[*id]], &Device::Cpu).unwrap();
        step(&input, at).flatten_all().unwrap().to_vec1().unwrap()
    };
    prompt.iter().enumerate().map(row).collect()
}

pub(crate) fn candle(tiny: &Tiny, source: &Path, prompt: &[u32]) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(source.join("model.safetensors")).unwrap();
    let weights =
        VarBuilder::from_buffered_safetensors(bytes, candle_core::DType::F32, &Device::Cpu).unwrap();
    let mut json = tiny.hf_config();
    for (key, value) in [("max_window_layers", tiny.layers.into()), ("use_sliding_window", false.into())] {
        json[key] = value;
    }
    json["attention_bias"] = false.into();
    match tiny.family {
        TinyFamily::Llama => {
            let config: llama::LlamaConfig = serde_json::from_value(json).unwrap();
            let config = config.into_config(false);
            let mut cache = llama::Cache::new(true, candle_core::DType::F32, &config, &Device::Cpu).unwrap();
            let model = llama::Llama::load(weights, &config).unwrap();
            one_by_one(prompt, |x, at| model.forward(x, at, &mut cache).unwrap())
        }
        TinyFamily::Mistral => {
            let config: mistral::Config = serde_json::from_value(json).unwrap();
            let mut model = mistral::Model::new(&config, weights).unwrap();
            one_by_one(prompt, |x, at| model.forward(x, at).unwrap())
        }
        TinyFamily::Qwen2 => {
            json["sliding_window"] = tiny.max_positions.into();
            let config: qwen2::Config = serde_json::from_value(json).unwrap();
            let mut model = qwen2::ModelForCausalLM::new(&config, weights).unwrap();
            one_by_one(prompt, |x, at| model.forward(x, at).unwrap())
        }
        TinyFamily::Qwen3 => {
            let config: qwen3::Config = serde_json::from_value(json).unwrap();
            let mut model = qwen3::ModelForCausalLM::new(&config, weights).unwrap();
            one_by_one(prompt, |x, at| model.forward(x, at).unwrap())
        }
        TinyFamily::Bert => unreachable!("an encoder has no logits"),
    }
}

#[test]
fn every_family_foresees_what_candle_foresees() {
    for family in [TinyFamily::Llama, TinyFamily::Mistral, TinyFamily::Qwen2, TinyFamily::Qwen3] {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        // Weights on the grid of eight bits: what differs is the graph, not the rounding of weights.
        let tiny = Tiny::new(family, 7).stored_as(DType::Q8_0);
        tiny.write_folder(&source, DType::F32).unwrap();
        let graph = build_folder(&source, &dir.path().join("pack"));
        let prompt = tiny_prompt();
        let parity = compare(&candle(&tiny, &source, &prompt), &ours(&tiny, &graph, &prompt));
        // Rounded activations alone; `exact.rs` shows that the rest agrees.
        check(family.name(), parity, 0.04, 0.9);
    }
}

#[test]
fn every_stored_form_foresees_what_candle_foresees_from_its_exact_values() {
    for dtype in [
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::Q4_0,
        DType::Q4_1,
        DType::Q5_0,
        DType::Q5_1,
        DType::Q8_0,
        DType::Q4_K,
        DType::Q5_K,
        DType::Q6_K,
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (source, file) = (dir.path().join("source"), dir.path().join("tiny.gguf"));
        let tiny = Tiny::new(TinyFamily::Llama, 21);
        std::fs::write(&file, tiny.gguf(dtype).to_bytes()).unwrap();
        let reader = gguf::Gguf::open(&file).unwrap();
        let config = gguf::decoder_config(&reader).unwrap();
        let options = BuildOptions { bits: Bits::Eight, max_positions: 512 };
        write_decoder(&config, &reader, dir.path(), &options, &mut |_, _| ()).unwrap();
        let exact = tiny.stored_as(dtype);
        exact.write_folder(&source, DType::F32).unwrap();
        let prompt = tiny_prompt();
        let graph = dir.path().join(GRAPH_FILE);
        let parity = compare(&candle(&exact, &source, &prompt), &ours(&exact, &graph, &prompt));
        // Floats and Q6_K are rounded to eight bits on the way; the other forms are kept as they are.
        let most_kl =
            if matches!(dtype, DType::F32 | DType::F16 | DType::BF16 | DType::Q6_K) { 0.06 } else { 0.03 };
        check(&format!("llama {dtype:?}"), parity, most_kl, 0.9);
    }
}

#[test]
fn four_bits_of_floats_stay_close() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    let tiny = Tiny::new(TinyFamily::Llama, 7);
    tiny.write_folder(&source, DType::F32).unwrap();
    let folder = HfFolder::open(&source).unwrap();
    let HfModel::Decoder(config) = folder.model().unwrap() else {
        unreachable!("the tiny model is a decoder")
    };
    let options = BuildOptions { bits: Bits::Four, max_positions: 512 };
    let report = write_decoder(&config, &folder, dir.path(), &options, &mut |_, _| ()).unwrap();
    let worst = report.tensors.iter().filter(|t| t.form == "int4+sum").map(|t| t.rmse).fold(0.0, f64::max);
    assert!(worst > 0.02 && worst < 0.1, "{worst}");
    let prompt = tiny_prompt();
    let parity =
        compare(&candle(&tiny, &source, &prompt), &ours(&tiny, &dir.path().join(GRAPH_FILE), &prompt));
    // Random weights have no redundancy and their logits are steep; by chance one position in 384 would agree.
    check("llama, four bits of floats", parity, f64::INFINITY, 0.5);
}

#[test]
fn the_starter_model_foresees_what_candle_foresees_from_the_same_file() {
    let path = PathBuf::from(
        std::env::var_os("BANYAN_TEST_GGUF")
            .expect("BANYAN_TEST_GGUF names the starter model's GGUF file; `cargo xtask test` sets it"),
    );
    let dir = tempfile::tempdir().unwrap();
    let reader = gguf::Gguf::open(&path).unwrap();
    let config = gguf::decoder_config(&reader).unwrap();
    let options = BuildOptions { bits: Bits::Auto, max_positions: 512 };
    write_decoder(&config, &reader, dir.path(), &options, &mut |_, _| ()).unwrap();
    let parts = banyan_modelpack::tokenizer::from_gguf(&reader).unwrap();
    let tokenizer = tokenizers::Tokenizer::from_bytes(&parts.json).unwrap();
    let prompt: Vec<u32> = tokenizer.encode(PROSE, false).unwrap().get_ids()[..STARTER_TOKENS].to_vec();
    let cache = Cache { layers: config.layers, kv_heads: config.kv_heads, head_dim: config.head_dim };
    let all: Vec<usize> = (0..prompt.len()).collect();
    let ours = logits(&mut open(&dir.path().join(GRAPH_FILE)), cache, &prompt, 1, &all, Vec::new());

    let mut file = std::fs::File::open(&path).unwrap();
    let content = candle_core::quantized::gguf_file::Content::read(&mut file).unwrap();
    let mut model = quantized_llama::ModelWeights::from_gguf(content, &mut file, &Device::Cpu).unwrap();
    let candle = one_by_one(&prompt, |x, at| model.forward(x, at).unwrap());
    // Both round activations to eight bits, in different places.
    check("SmolLM2-135M-Instruct, Q4_1", compare(&candle, &ours), 0.02, 0.9);
}

#[test]
fn an_encoder_gives_candles_vectors_alone_and_padded() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    let tiny = Tiny::new(TinyFamily::Bert, 5).stored_as(DType::Q8_0);
    tiny.write_folder(&source, DType::F32).unwrap();
    let mut session = open(&build_folder(&source, &dir.path().join("pack")));
    let texts: [&[u8]; 2] = [b"A man is eating food.", b"Water"];
    let width = texts[0].len();
    let pad =
        |text: &[u8]| text.iter().map(|b| i64::from(*b)).chain(std::iter::repeat(0)).take(width).collect();
    let mask = |text: &[u8]| (0..width).map(|i| i64::from(i < text.len())).collect();
    let ids: Vec<i64> = texts.iter().flat_map(|text| -> Vec<i64> { pad(text) }).collect();
    let masks: Vec<i64> = texts.iter().flat_map(|text| -> Vec<i64> { mask(text) }).collect();
    let outputs = session
        .run(ort::inputs![
            contract::INPUT_IDS => ort::value::Tensor::from_array(([2, width], ids)).unwrap(),
            contract::ATTENTION_MASK => ort::value::Tensor::from_array(([2, width], masks)).unwrap(),
        ])
        .unwrap();
    let (_, vectors) = outputs[contract::EMBEDDING].try_extract_tensor::<f32>().unwrap();

    let bytes = std::fs::read(source.join("model.safetensors")).unwrap();
    let weights =
        VarBuilder::from_buffered_safetensors(bytes, candle_core::DType::F32, &Device::Cpu).unwrap();
    let model = bert::BertModel::load(weights, &bert_config(&tiny)).unwrap();
    for (text, own) in texts.iter().zip(vectors.chunks(tiny.hidden)) {
        let ids: Vec<u32> = text.iter().map(|b| u32::from(*b)).collect();
        let ids = Tensor::new(&ids[..], &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let hidden = model.forward(&ids, &ids.zeros_like().unwrap(), None).unwrap();
        let mean: Vec<f32> = hidden.i(0).unwrap().mean(0).unwrap().to_vec1().unwrap();
        let length = mean.iter().map(|v| v * v).sum::<f32>().sqrt();
        let cosine: f32 = mean.iter().zip(own).map(|(a, b)| a / length * b).sum();
        println!("parity bert: cosine {cosine:.6}");
        assert!(cosine > 0.998, "{cosine}");
    }
}

#[test]
fn a_reranker_gives_candles_scores_for_pairs_of_any_length() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    let tiny = Tiny::reranker(7).stored_as(DType::Q8_0);
    tiny.write_folder(&source, DType::F32).unwrap();
    let graph = build_folder(&source, &dir.path().join("pack"));
    // As computed in floats, so that a wrong segment or head cannot hide behind rounding.
    crate::exact::without_rounding(&graph);
    let mut session = open(&graph);
    // (question, document) as tokens; the second pair is shorter and padded.
    let pairs: [(&[u32], &[u32]); 2] =
        [(&[2, 40, 41, 42, 3], &[50, 51, 52, 53, 54, 3]), (&[2, 60, 3], &[61, 3])];
    let width = pairs[0].0.len() + pairs[0].1.len();
    type OfPair = dyn Fn(&[u32], &[u32]) -> Vec<i64>;
    let padded = |values: &OfPair| -> Vec<i64> {
        let rows = pairs.iter().map(|(a, b)| values(a, b));
        rows.flat_map(|row| row.into_iter().chain(std::iter::repeat(0)).take(width)).collect()
    };
    let types = |a: &[u32], b: &[u32]| [vec![0i64; a.len()], vec![1; b.len()]].concat();
    let ids = padded(&|a, b| a.iter().chain(b).map(|id| i64::from(*id)).collect());
    let mask = padded(&|a, b| vec![1; a.len() + b.len()]);
    let tensor = |values| ort::value::Tensor::from_array(([2, width], values)).unwrap();
    let outputs = session
        .run(ort::inputs![
            contract::INPUT_IDS => tensor(ids),
            contract::ATTENTION_MASK => tensor(mask),
            contract::TOKEN_TYPES => tensor(padded(&types)),
        ])
        .unwrap();
    let (shape, ours) = outputs[contract::SCORE].try_extract_tensor::<f32>().unwrap();
    assert_eq!(&shape[..], [2]);

    let bytes = std::fs::read(source.join("model.safetensors")).unwrap();
    let weights =
        VarBuilder::from_buffered_safetensors(bytes, candle_core::DType::F32, &Device::Cpu).unwrap();
    let model = bert::BertModel::load(weights.clone(), &bert_config(&tiny)).unwrap();
    let pooler = candle_nn::linear(tiny.hidden, tiny.hidden, weights.pp("pooler.dense")).unwrap();
    let classifier = candle_nn::linear(tiny.hidden, 1, weights.pp("classifier")).unwrap();
    let score = |ids: Vec<u32>, types: Vec<u32>| {
        let row = |values: Vec<u32>| Tensor::new(values, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let hidden = model.forward(&row(ids), &row(types), None).unwrap();
        let first = hidden.i((.., 0)).unwrap().contiguous().unwrap();
        let pooled = pooler.forward(&first).unwrap().tanh().unwrap();
        classifier.forward(&pooled).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()[0]
    };
    for ((a, b), ours) in pairs.iter().zip(ours) {
        let ids = [*a, *b].concat();
        let theirs = score(ids.clone(), types(a, b).iter().map(|t| *t as u32).collect());
        let one_segment = score(ids, vec![0; a.len() + b.len()]);
        println!("parity re-ranker: {ours:.5} against {theirs:.5} (without segments {one_segment:.5})");
        assert!((ours - theirs).abs() < 1e-4, "{ours} against {theirs}");
        assert!((one_segment - theirs).abs() > 0.01, "the segments must matter for this test to see them");
    }
}

fn bert_config(tiny: &Tiny) -> bert::Config {
    bert::Config {
        vocab_size: tiny.vocab,
        hidden_size: tiny.hidden,
        num_hidden_layers: tiny.layers,
        num_attention_heads: tiny.heads,
        intermediate_size: tiny.intermediate,
        max_position_embeddings: tiny.max_positions,
        layer_norm_eps: 1e-12,
        ..bert::Config::default()
    }
}
