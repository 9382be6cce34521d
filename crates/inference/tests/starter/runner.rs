//! The graph contract on the real starter model: rows of a batch, chunks of a prompt and moved rows must compute what
//! the same text computes alone.
//!
//! Not strings but distributions are compared: matrix products with 8-bit activations round a row a little differently
//! beside other rows, and a near tie between two words may then fall either way.

use crate::common::{CHAT, TEXT, ort_library, pack, runner, runner_with, scorer};
use banyan_inference::forward::{DecodeInput, Forward, LogitsWanted};
use banyan_inference::{BenchOptions, bench, kl_divergence};

/// How far a distribution may be from the one computed alone, in nats. A row that read a wrong position or another
/// row's keys is off by whole nats.
const NEAR: f64 = 0.05;

fn mean_divergence(truth: &[Vec<f32>], other: &[Vec<f32>]) -> f64 {
    assert_eq!(truth.len(), other.len());
    truth.iter().zip(other).map(|(t, o)| kl_divergence(t, o)).sum::<f64>() / truth.len() as f64
}

/// Logits after each token, computed alone.
fn alone(tokens: &[u32]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    scorer(false).each_logits(tokens, |_, row| rows.push(row.to_vec())).unwrap();
    rows
}

#[test]
fn rows_of_a_batch_that_join_at_different_times_compute_what_they_compute_alone() {
    let text = scorer(false).tokens(TEXT).unwrap();
    let (a, b) = (&text[..60], &text[30..80]);
    let (truth_a, truth_b) = (alone(a), alone(b));
    let mut model = runner(3, 128);
    let vocab = model.vocab();
    let (mut got_a, mut got_b) = (Vec::new(), Vec::new());
    model.prefill(0, 0, &a[..20], 0, LogitsWanted::None).unwrap();
    for (i, token) in a.iter().enumerate().skip(20) {
        // The second row joins when the first has written some of its answer, and both go on together.
        if i == 30 {
            model.prefill(1, 0, &b[..10], 0, LogitsWanted::None).unwrap();
        }
        let second = (i >= 30).then(|| DecodeInput::base(b[i - 20], i - 20));
        let first = Some(DecodeInput::base(*token, i));
        let rows: &[_] = if i >= 30 { &[first, second] } else { &[first] };
        let logits = model.decode(rows).unwrap();
        got_a.push(logits[..vocab].to_vec());
        if i >= 30 {
            got_b.push(logits[vocab..].to_vec());
        }
    }
    let off_a = mean_divergence(&truth_a[20..], &got_a);
    let off_b = mean_divergence(&truth_b[10..40], &got_b);
    println!("divergence from alone: first row {off_a:.5}, second row {off_b:.5}");
    assert!(off_a < NEAR && off_b < NEAR, "{off_a} {off_b}");
}

#[test]
fn a_prompt_in_chunks_is_the_prompt_at_once() {
    let tokens = scorer(false).tokens(TEXT).unwrap();
    let mut model = runner(1, 128);
    let whole = model.prefill(0, 0, &tokens[..70], 0, LogitsWanted::Last).unwrap().to_vec();
    model.prefill(0, 0, &tokens[..33], 0, LogitsWanted::None).unwrap();
    model.prefill(0, 33, &tokens[33..50], 0, LogitsWanted::Last).unwrap();
    let chunked = model.prefill(0, 50, &tokens[50..70], 0, LogitsWanted::Last).unwrap().to_vec();
    let off = kl_divergence(&whole, &chunked);
    println!("divergence of chunks: {off:.5}");
    assert!(off < NEAR, "{off}");
}

#[test]
fn an_idle_row_between_two_others_changes_neither() {
    let tokens = scorer(false).tokens(TEXT).unwrap();
    let mut model = runner(3, 128);
    let vocab = model.vocab();
    for (slot, from) in [(0, 0), (1, 5), (2, 10)] {
        model.prefill(slot, 0, &tokens[from..from + 20], 0, LogitsWanted::None).unwrap();
    }
    let (first, third) = (DecodeInput::base(tokens[20], 20), DecodeInput::base(tokens[30], 20));
    let logits = model.decode(&[Some(first), None, Some(third)]).unwrap().to_vec();
    let truth = alone(&tokens[10..31]);
    let off = kl_divergence(truth.last().unwrap(), &logits[2 * vocab..]);
    assert!(off < NEAR, "{off}");
    // The idle row's own past is untouched: it goes on as if nothing had been.
    let logits = model.decode(&[None, Some(DecodeInput::base(tokens[25], 20))]).unwrap().to_vec();
    let off = kl_divergence(alone(&tokens[5..26]).last().unwrap(), &logits[vocab..]);
    assert!(off < NEAR, "{off}");
}

#[test]
fn a_moved_row_goes_on_where_it_was() {
    let tokens = scorer(false).tokens(TEXT).unwrap();
    let mut model = runner(3, 128);
    model.prefill(2, 0, &tokens[..40], 0, LogitsWanted::None).unwrap();
    model.prefill(0, 0, &tokens[50..90], 0, LogitsWanted::None).unwrap();
    model.move_row(2, 0, 40).unwrap();
    let logits = model.decode(&[Some(DecodeInput::base(tokens[40], 40))]).unwrap().to_vec();
    let off = kl_divergence(alone(&tokens[..41]).last().unwrap(), &logits);
    assert!(off < NEAR, "{off}");
}

#[test]
fn a_slab_that_the_provider_allocated_computes_like_our_own() {
    let tokens = scorer(false).tokens(TEXT).unwrap();
    let [own, provided] = [false, true].map(|device_slab| {
        let mut model = runner_with(2, 64, device_slab);
        assert_eq!(model.move_row(1, 0, 1).is_ok(), model.moves_rows());
        model.prefill(1, 0, &tokens[..30], 0, LogitsWanted::None).unwrap();
        let rows = |i: usize| [None, Some(DecodeInput::base(tokens[i], i))];
        model.decode(&rows(30)).unwrap();
        let vocab = model.vocab();
        model.decode(&rows(31)).unwrap()[vocab..].to_vec()
    });
    let off = kl_divergence(&own, &provided);
    assert!(off < 1e-6, "{off}");
}

#[test]
fn sizes_beyond_the_slab_are_refused_before_the_runtime_sees_them() {
    let mut model = runner(2, 64);
    assert!(model.prefill(2, 0, &[1], 0, LogitsWanted::Last).is_err());
    assert!(model.prefill(0, 60, &[1; 5], 0, LogitsWanted::Last).is_err());
    assert!(model.prefill(0, 0, &[], 0, LogitsWanted::Last).is_err());
    assert!(model.decode(&[Some(DecodeInput::base(1, 64))]).is_err());
    assert!(model.decode(&[None, None, None]).is_err());
    assert!(model.move_row(0, 5, 3).is_err());
    assert!(model.prefill(0, 0, &[1, 2, 3], 0, LogitsWanted::Last).is_ok(), "and it still works");
}

#[test]
fn the_starter_model_foresees_plain_english() {
    let measured = scorer(false).perplexity(TEXT).unwrap();
    println!("perplexity {:.3} over {} tokens", measured.perplexity, measured.tokens);
    assert!((4.0..40.0).contains(&measured.perplexity), "{measured:?}");
}

#[test]
fn a_bench_reports_wall_and_processor_time() {
    let library = ort_library();
    let options = BenchOptions {
        ort_library: &library,
        threads: 1,
        spin: false,
        prompt: 48,
        chunk: 0,
        generate: 6,
        repeats: 1,
    };
    let report = bench(&pack(CHAT), &options).unwrap();
    println!("{report:#?}");
    assert_eq!((report.prefill.tokens, report.decode.tokens), (48, 5));
    assert!(report.prefill.per_cpu_second() > report.decode.per_cpu_second());
    assert!(report.ttft.wall >= report.prefill.wall / 2 && report.peak_memory > 50 << 20);
}
