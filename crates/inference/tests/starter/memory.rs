//! Key/value memory on the real starter model: 8 bits, blocks of the prefix pool, several tokens at once, memory given back.

use crate::common::{TEXT, runner_with_pool, scorer};
use banyan_inference::forward::{Forward, LogitsWanted, VerifyInput};
use banyan_inference::kl_divergence;
use banyan_inference::kv::BLOCK;

/// As in runner.rs: a wrong row or position is off by whole nats.
const NEAR: f64 = 0.05;

#[test]
fn keys_and_values_in_eight_bits_foresee_a_text_as_those_that_are_kept_whole() {
    let tokens = scorer(false).tokens(TEXT).unwrap();
    let (mut whole, mut eighth) = (Vec::new(), Vec::new());
    scorer(false).each_logits(&tokens, |_, row| whole.push(row.to_vec())).unwrap();
    scorer(true).each_logits(&tokens, |_, row| eighth.push(row.to_vec())).unwrap();
    let kl = whole.iter().zip(&eighth).map(|(a, b)| kl_divergence(a, b)).sum::<f64>() / whole.len() as f64;
    println!("8-bit keys and values: KL {kl:.5}");
    assert!(kl > 1e-6, "they are not the same graph");
    assert!(kl < 0.02, "{kl}");
}

#[test]
fn a_restored_prefix_is_the_prefix_in_whatever_row_it_is_put() {
    let tokens = scorer(false).tokens(TEXT).unwrap();
    for kv8 in [false, true] {
        let mut model = runner_with_pool(3, 128, 8, kv8);
        let (prefix, rest) = tokens[..70].split_at(3 * BLOCK);
        model.prefill(0, 0, prefix, 0, LogitsWanted::None).unwrap();
        let truth = model.prefill(0, prefix.len(), rest, 0, LogitsWanted::Last).unwrap().to_vec();
        for i in 0..3 {
            model.save(0, i * BLOCK, 7 - i).unwrap();
        }
        // Another conversation takes the row.
        model.prefill(0, 0, &tokens[20..90], 0, LogitsWanted::None).unwrap();
        for i in 0..3 {
            model.restore(2, i * BLOCK, 7 - i).unwrap();
        }
        let restored = model.prefill(2, prefix.len(), rest, 0, LogitsWanted::Last).unwrap();
        assert!(kl_divergence(&truth, restored) < 1e-9, "to the bit: nothing was computed anew");
        assert!(
            model.save(0, 0, 8).is_err()
                && model.restore(3, 0, 0).is_err()
                && model.restore(0, 120, 0).is_err()
        );
    }
}

#[test]
fn several_tokens_at_once_in_rows_of_different_length_are_those_tokens_one_by_one() {
    let tokens = scorer(false).tokens(TEXT).unwrap();
    let mut truth = Vec::new();
    scorer(true).each_logits(&tokens[..60], |_, row| truth.push(row.to_vec())).unwrap();
    let mut model = runner_with_pool(3, 128, 0, true);
    model.prefill(0, 0, &tokens[..40], 0, LogitsWanted::None).unwrap();
    model.prefill(2, 0, &tokens[..25], 0, LogitsWanted::None).unwrap();
    let row = |range: std::ops::Range<usize>| {
        Some(VerifyInput { past: range.start, tokens: &tokens[range], adapter: 0 })
    };
    let vocab = model.vocab();
    // Wrong guesses first: what they leave in the rows is overwritten.
    let wrong = [1, 2, 3, 4];
    let guess = Some(VerifyInput { past: 40, tokens: &wrong, adapter: 0 });
    model.verify(&[guess, None, None]).unwrap();
    let logits = model.verify(&[row(40..44), None, row(25..31)]).unwrap();
    assert_eq!(logits.len(), 10 * vocab);
    for (got, at) in logits.chunks(vocab).zip((40..44).chain(25..31)) {
        let off = kl_divergence(&truth[at], got);
        assert!(off < NEAR, "position {at}: {off}");
    }
    assert!(model.verify(&[None]).is_err(), "nothing to verify");
}

#[test]
fn a_row_that_was_given_back_computes_like_a_new_one() {
    let tokens = scorer(false).tokens(TEXT).unwrap();
    let mut model = runner_with_pool(2, 128, 0, true);
    let truth = model.prefill(1, 0, &tokens[..50], 0, LogitsWanted::Last).unwrap().to_vec();
    model.release(1);
    let again = model.prefill(1, 0, &tokens[..50], 0, LogitsWanted::Last).unwrap();
    assert!(kl_divergence(&truth, again) < 1e-9);
}
