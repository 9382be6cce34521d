use super::*;
use proptest::prelude::*;

fn pick(settings: Settings, logits: &[f32]) -> Picked {
    Sampler::new(settings, &[]).pick(&mut logits.to_vec(), &mut Scratch::default())
}

fn greedy() -> Settings {
    Settings { temperature: 0.0, ..Settings::default() }
}

/// The tokens that come up in many draws.
fn drawn(settings: Settings, logits: &[f32]) -> Vec<u32> {
    let mut sampler = Sampler::new(settings, &[]);
    let mut scratch = Scratch::default();
    let mut seen: Vec<u32> =
        (0..2000).map(|_| sampler.pick(&mut logits.to_vec(), &mut scratch).token).collect();
    seen.sort_unstable();
    seen.dedup();
    seen
}

#[test]
fn temperature_zero_picks_the_likeliest_and_the_first_among_equals() {
    assert_eq!(pick(greedy(), &[0.0, 3.0, 1.0, 3.0]).token, 1);
    assert_eq!(pick(greedy(), &[f32::NAN, -1.0, f32::NEG_INFINITY]).token, 1);
}

#[test]
fn each_filter_keeps_what_it_says() {
    let logits = [4.0_f32.ln(), 3.0_f32.ln(), 2.0_f32.ln(), 1.0_f32.ln()];
    let cases = [
        (Settings::default(), vec![0, 1, 2, 3]),
        (Settings { top_k: 2, ..Settings::default() }, vec![0, 1]),
        (Settings { top_k: 9, ..Settings::default() }, vec![0, 1, 2, 3]),
        (Settings { top_p: 0.39, ..Settings::default() }, vec![0]),
        (Settings { top_p: 0.5, ..Settings::default() }, vec![0, 1]),
        (Settings { top_p: 0.0, ..Settings::default() }, vec![0]),
        (Settings { min_p: 0.6, ..Settings::default() }, vec![0, 1]),
        (Settings { min_p: 1.0, ..Settings::default() }, vec![0]),
        (
            Settings { logit_bias: vec![(0, -100.0), (2, -100.0), (77, 5.0)], ..Settings::default() },
            vec![1, 3],
        ),
    ];
    for (settings, expected) in cases {
        assert_eq!(drawn(settings.clone(), &logits), expected, "{settings:?}");
    }
}

#[test]
fn penalties_act_on_what_was_said_and_only_repetition_on_the_prompt() {
    let check = |settings: Settings, prompt: &[u32], logits: &[f32], expected: [u32; 3]| {
        let mut sampler = Sampler::new(settings, prompt);
        let picked = [(); 3].map(|()| sampler.pick(&mut logits.to_vec(), &mut Scratch::default()).token);
        assert_eq!(picked, expected);
    };
    let logits = [1.0, 0.9, 0.5];
    check(greedy(), &[0], &logits, [0, 0, 0]);
    check(Settings { repetition_penalty: 1.5, ..greedy() }, &[0], &logits, [1, 0, 0]);
    check(Settings { presence_penalty: 0.3, ..greedy() }, &[0, 0, 0], &logits, [0, 1, 0]);
    check(Settings { frequency_penalty: 0.3, ..greedy() }, &[0], &logits, [0, 1, 0]);
    let mut sampler = Sampler::new(Settings { frequency_penalty: 0.1, ..greedy() }, &[]);
    let picked: Vec<u32> =
        (0..8).map(|_| sampler.pick(&mut logits.to_vec(), &mut Scratch::default()).token).collect();
    assert!(picked.contains(&1), "each time it is said, a token gets less likely: {picked:?}");
}

#[test]
fn log_probabilities_are_the_models_own_whatever_shaping_does() {
    let logits = [4.0_f32.ln(), 3.0_f32.ln(), 2.0_f32.ln(), 1.0_f32.ln()];
    let settings = Settings { logprobs: Some(2), logit_bias: vec![(3, 50.0)], ..greedy() };
    let picked = pick(settings, &logits);
    assert_eq!(picked.token, 3);
    let logprob = picked.logprob.expect("asked for");
    assert!((logprob.picked - 0.1_f32.ln()).abs() < 1e-5);
    assert_eq!(logprob.top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 1]);
    assert!((logprob.top[0].1 - 0.4_f32.ln()).abs() < 1e-5);
}

#[test]
fn a_seed_gives_the_same_draws_and_another_seed_others() {
    let logits: Vec<f32> = (0..100).map(|i| (i % 7) as f32 * 0.1).collect();
    let run = |seed| {
        let mut sampler = Sampler::new(Settings { seed, ..Settings::default() }, &[]);
        (0..40).map(|_| sampler.pick(&mut logits.clone(), &mut Scratch::default()).token).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn draws_follow_the_probabilities() {
    let logits = [0.7_f32.ln(), 0.2_f32.ln(), 0.1_f32.ln()];
    let mut sampler = Sampler::new(Settings { seed: 1, ..Settings::default() }, &[]);
    let mut scratch = Scratch::default();
    let mut counts = [0u32; 3];
    for _ in 0..20_000 {
        counts[sampler.pick(&mut logits.to_vec(), &mut scratch).token as usize] += 1;
    }
    for (count, expected) in counts.iter().zip([14_000.0, 4_000.0, 2_000.0]) {
        assert!((f64::from(*count) - expected).abs() < 300.0, "{counts:?}");
    }
}

#[test]
fn a_setting_out_of_range_is_refused_by_its_name() {
    let cases = [
        (Settings { temperature: -0.1, ..Settings::default() }, "temperature"),
        (Settings { temperature: f32::NAN, ..Settings::default() }, "temperature"),
        (Settings { top_p: 1.5, ..Settings::default() }, "top_p"),
        (Settings { repetition_penalty: 0.0, ..Settings::default() }, "repetition_penalty"),
        (Settings { logprobs: Some(21), ..Settings::default() }, "top_logprobs"),
        (Settings { logit_bias: vec![(1, 101.0)], ..Settings::default() }, "logit_bias"),
    ];
    for (settings, name) in cases {
        assert_eq!(settings.check().expect_err("out of range").name, name);
    }
    assert_eq!(Settings::default().check(), Ok(()));
}

prop_compose! {
    fn any_settings()(
        temperature in 0.0_f32..2.0, top_k in 0usize..50, top_p in 0.0_f32..=1.0, min_p in 0.0_f32..=1.0,
        repetition_penalty in 0.5_f32..2.0, presence_penalty in -2.0_f32..2.0, frequency_penalty in -2.0_f32..2.0,
        bias in prop::collection::vec((0u32..80, -100.0_f32..100.0), 0..5), seed: u64, logprobs in prop::option::of(0usize..=20),
    ) -> Settings {
        Settings { temperature, top_k, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty, logit_bias: bias, seed, logprobs }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the settings and the numbers, a token of the vocabulary comes out, within the limits asked for.
    #[test]
    fn a_pick_is_always_a_token_of_the_vocabulary(
        settings in any_settings(),
        logits in prop::collection::vec(prop_oneof![9 => -50.0_f32..50.0, 1 => Just(f32::NEG_INFINITY), 1 => Just(f32::NAN)], 1..64),
        prompt in prop::collection::vec(0u32..80, 0..10),
    ) {
        let mut sampler = Sampler::new(settings.clone(), &prompt);
        let mut scratch = Scratch::default();
        for _ in 0..5 {
            let picked = sampler.pick(&mut logits.clone(), &mut scratch);
            prop_assert!((picked.token as usize) < logits.len());
            prop_assert_eq!(picked.logprob.as_ref().map(|l| l.top.len()), settings.logprobs.map(|n| n.min(logits.len())));
        }
    }

    /// `top_k` = k never lets a token through that k others beat.
    #[test]
    fn top_k_lets_only_the_k_best_through(logits in prop::collection::vec(-5.0_f32..5.0, 2..40), k in 1usize..10, seed: u64) {
        let picked = pick(Settings { top_k: k, seed, ..Settings::default() }, &logits).token;
        let better = logits.iter().filter(|l| **l > logits[picked as usize]).count();
        prop_assert!(better < k);
    }

    /// Picking in portions keeps what sorting everything would keep.
    #[test]
    fn the_nucleus_is_the_shortest_head_of_the_sorted_weights(
        weights in prop::collection::vec(0.0_f32..1.0, 1..900), top_p in 0.0_f32..1.0,
    ) {
        let mut kept: Vec<(u32, f32)> = (0..).zip(weights).collect();
        let goal = top_p * kept.iter().map(|(_, w)| w).sum::<f32>();
        let mut sorted = kept.clone();
        sorted.sort_by(by_weight);
        let mut sum = 0.0;
        let n = sorted.iter().position(|(_, w)| { sum += w; sum >= goal }).map_or(sorted.len(), |i| i + 1);
        keep_nucleus(&mut kept, goal);
        prop_assert_eq!(&kept[..], &sorted[..n]);
    }

    /// Leaving out what no nucleus needs changes nothing: what comes up is what sorting everything would let through.
    #[test]
    fn top_p_lets_exactly_the_nucleus_through(logits in prop::collection::vec(-6.0_f32..6.0, 1..50), top_p in 0.01_f32..0.99, seed: u64) {
        let picked = pick(Settings { top_p, seed, ..Settings::default() }, &logits).token;
        let weight = |l: f32| f64::from(l).exp();
        let total: f64 = logits.iter().map(|l| weight(*l)).sum();
        let before: f64 = logits.iter().filter(|l| **l > logits[picked as usize]).map(|l| weight(*l)).sum();
        prop_assert!(before < f64::from(top_p) * total + 1e-4 * total, "{} {}", before, total);
    }

    /// argmax agrees with the plain way to find it.
    #[test]
    fn argmax_is_the_first_of_the_largest(logits in prop::collection::vec(-3i8..3, 1..100)) {
        let logits: Vec<f32> = logits.into_iter().map(f32::from).collect();
        let plain = logits.iter().enumerate().fold(0, |best, (i, l)| if *l > logits[best] { i } else { best });
        prop_assert_eq!(argmax(&logits) as usize, plain);
    }
}
