//! Answers beside each other on the real starter model: as good as alone, and the very same where nothing is rounded.

use crate::common::{CHAT, TEXT, config, pack, runner_of, scorer};
use banyan_inference::batched::together;
use banyan_inference::forward::{DecodeInput, Forward, LogitsWanted};
use banyan_inference::profile::step_profile;
use banyan_inference::sampler::argmax;

#[test]
fn rows_beside_each_other_foresee_a_text_as_well_as_alone() {
    let result = together(&pack(CHAT), &config(), TEXT, 6, 12).unwrap();
    println!("{result:?}");
    assert_eq!(result.tokens, 72);
    assert!((result.perplexity / result.perplexity_alone - 1.0).abs() < 0.03, "{result:?}");
    assert!(result.kl < 0.03 && result.kl >= 0.0, "{result:?}");
}

/// The attribute as ONNX writes it: its name, then field 3 (a whole number).
const EIGHT_BIT_ACTIVATIONS: &[u8] = b"accuracy_level\x18\x04";
const FLOAT_ACTIVATIONS: &[u8] = b"accuracy_level\x18\x01";

/// With activations that are not rounded a batch changes sums by their last bit only, and the same words are picked.
#[test]
fn where_activations_are_not_rounded_a_batch_writes_the_very_words_that_are_written_alone() {
    let (folder, source) = (tempfile::tempdir().unwrap(), pack(CHAT));
    for entry in std::fs::read_dir(&source).unwrap().flatten() {
        // No links: ONNX Runtime refuses weights that lie outside of the graph's folder.
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let graph = folder.path().join("model.onnx");
    let mut bytes = std::fs::read(&graph).unwrap();
    let mut changed = 0;
    for at in 0..bytes.len() - EIGHT_BIT_ACTIVATIONS.len() {
        let here = &mut bytes[at..at + EIGHT_BIT_ACTIVATIONS.len()];
        if here == EIGHT_BIT_ACTIVATIONS {
            here.copy_from_slice(FLOAT_ACTIVATIONS);
            changed += 1;
        }
    }
    assert!(changed > 0, "the graph rounds no activations; this test has lost its sense");
    std::fs::write(&graph, bytes).unwrap();

    const ROWS: usize = 5;
    const WORDS: usize = 20;
    let text = scorer(false).tokens(TEXT).unwrap();
    let prompt = |row: usize| &text[7 * row..7 * row + 16 + row];
    let mut model = runner_of(&graph, ROWS, 64);
    let vocab = model.vocab();
    let alone: Vec<Vec<u32>> = (0..ROWS)
        .map(|row| {
            let prompt = prompt(row);
            let mut words = vec![argmax(model.prefill(0, 0, prompt, 0, LogitsWanted::Last).unwrap())];
            while words.len() < WORDS {
                let next = DecodeInput::base(words[words.len() - 1], prompt.len() + words.len() - 1);
                words.push(argmax(model.decode(&[Some(next)]).unwrap()));
            }
            words
        })
        .collect();
    let mut beside: Vec<Vec<u32>> = (0..ROWS)
        .map(|row| vec![argmax(model.prefill(row, 0, prompt(row), 0, LogitsWanted::Last).unwrap())])
        .collect();
    while beside[0].len() < WORDS {
        let rows: Vec<_> = beside
            .iter()
            .enumerate()
            .map(|(row, words)| {
                Some(DecodeInput::base(words[words.len() - 1], prompt(row).len() + words.len() - 1))
            })
            .collect();
        let logits = model.decode(&rows).unwrap().to_vec();
        for (words, logits) in beside.iter_mut().zip(logits.chunks_exact(vocab)) {
            words.push(argmax(logits));
        }
    }
    assert_eq!(alone, beside);
}

#[test]
fn a_step_is_taken_apart_into_the_nodes_that_it_runs() {
    let step = step_profile(&pack(CHAT), &config(), 3, 40, 2).unwrap();
    println!("{step:?}");
    let time = |kind: &str| step.nodes.iter().find(|node| node.0 == kind).map(|node| node.1);
    assert!(time("MatMulNBits").unwrap() > time("GroupQueryAttention").unwrap(), "{:?}", step.nodes);
    assert!(step.wall >= step.run + step.sampling);
    assert!(step.weight_bytes > 90_000_000 && step.kv_bytes > 0 && step.bandwidth > 1e8);
}
