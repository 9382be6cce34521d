//! The graphs that keep keys and values in 8 bits, beside those that keep them as computed.

use crate::parity::{build_folder, compare, tiny_prompt};
use crate::session::open;
use banyan_modelpack::graph::{Variant, contract};
use banyan_modelpack::source::DType;
use banyan_modelpack::testing::{Tiny, TinyFamily};
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;

/// What a prompt gives: logits of every position, and each layer's keys and values.
struct Computed {
    logits: Vec<Vec<f32>>,
    kept: Vec<Vec<f32>>,
}

/// Runs one prompt; with `scales` (one a channel, for each layer's keys and values) through a graph that keeps 8 bits.
fn run(session: &mut Session, tiny: &Tiny, prompt: &[u32], scales: Option<&[Vec<f32>]>) -> Computed {
    let length = prompt.len();
    let whole = |name: &str, value: SessionInputValue<'static>| (name.to_owned(), value);
    let i32s = |values: Vec<i32>| Tensor::from_array(([values.len()], values)).unwrap();
    let ids: Vec<i64> = prompt.iter().map(|id| i64::from(*id)).collect();
    let all: Vec<i64> = (0..length as i64).collect();
    let mut inputs = vec![
        whole(contract::INPUT_IDS, Tensor::from_array(([1, length], ids)).unwrap().into()),
        whole(contract::SEQLENS_K, i32s(vec![length as i32 - 1]).into()),
        whole(contract::TOTAL_LEN, Tensor::from_array(((), vec![length as i32])).unwrap().into()),
        whole(contract::QUERY_LENS, i32s(vec![length as i32]).into()),
        whole(contract::LOGIT_IDX, Tensor::from_array(([length], all)).unwrap().into()),
    ];
    let shape = [1, tiny.kv_heads, length, tiny.head_dim];
    for layer in 0..tiny.layers {
        let size = shape.iter().product();
        for (name, scale, index) in [
            (contract::past_k(layer), contract::k_scale(layer), 2 * layer),
            (contract::past_v(layer), contract::v_scale(layer), 2 * layer + 1),
        ] {
            let past: SessionInputValue<'static> = match scales {
                None => Tensor::from_array((shape, vec![0f32; size])).unwrap().into(),
                Some(_) => Tensor::from_array((shape, vec![0i8; size])).unwrap().into(),
            };
            inputs.push((name, past));
            if let Some(scales) = scales {
                let values = scales[index].clone();
                let scales = Tensor::from_array(([tiny.kv_heads, 1, tiny.head_dim], values)).unwrap();
                inputs.push((scale, scales.into()));
            }
        }
    }
    let outputs = session.run(inputs).unwrap();
    let (dims, logits) = outputs[contract::LOGITS].try_extract_tensor::<f32>().unwrap();
    let logits = logits.chunks(dims[1] as usize).map(<[f32]>::to_vec).collect();
    let names = (0..tiny.layers).flat_map(|l| [contract::present_k(l), contract::present_v(l)]);
    let kept = names.map(|name| match scales {
        None => outputs[name.as_str()].try_extract_tensor::<f32>().unwrap().1.to_vec(),
        Some(_) => Vec::new(),
    });
    Computed { logits, kept: kept.collect() }
}

/// The largest size of each channel, as a step of an 8-bit number.
fn scales(kept: &[f32], tiny: &Tiny) -> Vec<f32> {
    let mut most = vec![1e-6f32; tiny.kv_heads * tiny.head_dim];
    let tokens = kept.len() / most.len();
    for (at, value) in kept.iter().enumerate() {
        let (head, channel) = (at / (tokens * tiny.head_dim), at % tiny.head_dim);
        let most = &mut most[head * tiny.head_dim + channel];
        *most = most.max(value.abs());
    }
    most.iter().map(|most| most / 127.0).collect()
}

#[test]
fn keys_and_values_in_eight_bits_change_the_answer_no_more_than_rounded_activations_do() {
    for family in [TinyFamily::Llama, TinyFamily::Mistral, TinyFamily::Qwen2, TinyFamily::Qwen3] {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        let tiny = Tiny::new(family, 5).stored_as(DType::Q8_0);
        tiny.write_folder(&source, DType::F32).unwrap();
        let plain = build_folder(&source, &dir.path().join("pack"));
        let prompt = tiny_prompt();
        let truth = run(&mut open(&plain), &tiny, &prompt, None);
        let scales: Vec<_> = truth.kept.iter().map(|kept| scales(kept, &tiny)).collect();
        let kv8 = Variant { adapters: false, kv8: true };
        let mut session = open(&plain.with_file_name(kv8.file()));
        let parity = compare(&truth.logits, &run(&mut session, &tiny, &prompt, Some(&scales)).logits);
        println!("kv8 {}: KL {:.4}, top-1 {:.3}", family.name(), parity.kl, parity.top1);
        // The limit of activations rounded to 8 bits, in parity.rs.
        assert!(parity.kl < 0.04 && parity.top1 > 0.9, "{}: {parity:?}", family.name());
    }
}
