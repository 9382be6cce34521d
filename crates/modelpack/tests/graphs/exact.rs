//! The graphs with the rounding of activations switched off: then they agree with candle almost to the bit, and any
//! wrong rotation, norm, bias, mask or head stands out by orders of magnitude.

use crate::parity::{build_folder, candle, compare, ours, tiny_prompt};
use banyan_modelpack::source::DType;
use banyan_modelpack::testing::{Tiny, TinyFamily};

/// The attribute as ONNX writes it: its name, then field 3 (a whole number).
const EIGHT_BIT_ACTIVATIONS: &[u8] = b"accuracy_level\x18\x04";
const FLOAT_ACTIVATIONS: &[u8] = b"accuracy_level\x18\x01";

pub(crate) fn without_rounding(graph: &std::path::Path) {
    let mut bytes = std::fs::read(graph).unwrap();
    let mut changed = 0;
    for at in 0..bytes.len() - EIGHT_BIT_ACTIVATIONS.len() {
        let here = &mut bytes[at..at + EIGHT_BIT_ACTIVATIONS.len()];
        if here == EIGHT_BIT_ACTIVATIONS {
            here.copy_from_slice(FLOAT_ACTIVATIONS);
            changed += 1;
        }
    }
    assert!(changed > 0, "the graph rounds no activations; this test has lost its sense");
    std::fs::write(graph, bytes).unwrap();
}

#[test]
fn every_family_computes_what_candle_computes_when_activations_are_not_rounded() {
    for family in [TinyFamily::Llama, TinyFamily::Mistral, TinyFamily::Qwen2, TinyFamily::Qwen3] {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        let tiny = Tiny::new(family, 7).stored_as(DType::Q8_0);
        tiny.write_folder(&source, DType::F32).unwrap();
        let graph = build_folder(&source, &dir.path().join("pack"));
        without_rounding(&graph);
        let prompt = tiny_prompt();
        let parity = compare(&candle(&tiny, &source, &prompt), &ours(&tiny, &graph, &prompt));
        println!("exact {}: KL {:.2e}, top-1 {:.3}", family.name(), parity.kl, parity.top1);
        assert!(parity.kl < 1e-7 && parity.top1 > 0.98, "{}: {parity:?}", family.name());
    }
}
