//! The runner and its table of adapters.

use crate::place::{Place, SLOTS, distance};
use banyan_inference::adapters::{AdapterRefused, Adapters};
use banyan_inference::forward::{DecodeInput, Forward as _, LogitsWanted, VerifyInput};
use banyan_inference::kv::Element;
use banyan_inference::runner::OrtRunner;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
const PROMPT: [u32; 6] = [5, 77, 130, 9, 201, 64];

/// Reads the prompt in a row and decodes one token more; its logits.
fn answer(runner: &mut OrtRunner, slot: usize, adapter: u32) -> Vec<f32> {
    runner.prefill(slot, 0, &PROMPT, adapter, LogitsWanted::None).unwrap();
    let rows: Vec<_> = (0..=slot)
        .map(|row| (row == slot).then_some(DecodeInput { token: 33, past: PROMPT.len(), adapter }))
        .collect();
    let vocab = runner.vocab();
    runner.decode(&rows).unwrap()[slot * vocab..].to_vec()
}

/// All rows at once, each with its adapter.
fn batch(runner: &mut OrtRunner, adapters: [u32; SLOTS]) -> Vec<Vec<f32>> {
    for (slot, adapter) in adapters.into_iter().enumerate() {
        runner.prefill(slot, 0, &PROMPT, adapter, LogitsWanted::None).unwrap();
    }
    let rows = adapters.map(|adapter| Some(DecodeInput { token: 33, past: PROMPT.len(), adapter }));
    let vocab = runner.vocab();
    runner.decode(&rows).unwrap().chunks(vocab).map(<[f32]>::to_vec).collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn id(adapters: &Adapters, name: &str) -> u32 {
    adapters.lease(name).unwrap().id()
}

fn rows_answer_with_their_own_adapters(element: Element) {
    let place = Place::new();
    let (mut runner, adapters) = place.runner(&place.base, 64 * MIB, element);
    let plain = answer(&mut runner, 0, 0);
    // Of different ranks and for different maps: the table is as wide as the widest.
    adapters.load(&place.whole(1)).unwrap();
    adapters.load(&place.adapter(2, 8, &["attn_q", "ffn_down"])).unwrap();
    let (one, two) = (id(&adapters, "adapter-1"), id(&adapters, "adapter-2"));
    let alone = [answer(&mut runner, 0, one), answer(&mut runner, 0, two)];
    let rows = batch(&mut runner, [one, 0, two, one]);
    // Alone or beside others, activations are rounded a little differently.
    for (what, truth, row) in
        [("first", &alone[0], 0), ("base", &plain, 1), ("second", &alone[1], 2), ("last", &alone[0], 3)]
    {
        let off = distance(truth, &rows[row]);
        assert!(off < 0.03, "{element:?}, {what}: {off}");
    }
    assert!(distance(&plain, &rows[0]) > 0.2 && distance(&rows[0], &rows[2]) > 0.2);
    let (mut merged, _) = place.runner(&place.merged(1), 0, element);
    let merged = answer(&mut merged, 0, 0);
    let off = distance(&merged, &rows[0]);
    println!(
        "{element:?}: {off:.4} from the merged weights, {:.3} from the base",
        distance(&plain, &rows[0])
    );
    assert!(off < distance(&plain, &merged) / 8.0, "{off}");
}

#[test]
fn rows_of_one_batch_answer_with_their_own_adapters_as_if_merged() {
    rows_answer_with_their_own_adapters(Element::F32);
}

#[test]
fn rows_kept_in_eight_bits_do_so_too() {
    rows_answer_with_their_own_adapters(Element::I8);
}

#[test]
fn guesses_are_verified_with_the_rows_adapter() {
    let place = Place::new();
    let (mut runner, adapters) = place.runner(&place.base, 64 * MIB, Element::F32);
    adapters.load(&place.whole(1)).unwrap();
    let adapter = id(&adapters, "adapter-1");
    let alone = answer(&mut runner, 1, adapter);
    let tokens = [33, 12];
    let vocab = runner.vocab();
    let verified =
        runner.verify(&[None, Some(VerifyInput { tokens: &tokens, past: PROMPT.len(), adapter })]).unwrap();
    assert!(distance(&alone, &verified[..vocab]) < 0.03);
}

#[test]
fn an_answer_keeps_the_weights_it_began_with_until_it_ends() {
    let place = Place::new();
    let (mut runner, adapters) = place.runner(&place.base, 64 * MIB, Element::F32);
    let plain = answer(&mut runner, 0, 0);
    adapters.load(&place.whole(1)).unwrap();
    let lease = adapters.lease("adapter-1").unwrap();
    let before = answer(&mut runner, 0, lease.id());
    adapters.unload("adapter-1").unwrap();
    assert!(adapters.lease("adapter-1").is_none() && adapters.views().is_empty());
    assert!(matches!(adapters.unload("adapter-1"), Err(AdapterRefused::NotLoaded { .. })));
    assert_eq!(answer(&mut runner, 0, lease.id()), before, "the answer goes on as it began");
    adapters.load(&place.adapter(3, 2, &["attn_k"])).unwrap();
    adapters.unload("adapter-3").unwrap();
    wait_until("what nobody uses stays", || adapters.resident() < 2);
    assert!(
        distance(&before, &answer(&mut runner, 0, lease.id())) < 1e-4,
        "whatever comes and goes meanwhile"
    );
    assert!(runner.lora_place().is_open());
    let old = lease.id();
    drop(lease);
    wait_until("the weights stay for ever", || adapters.resident() == 0);
    assert!(!runner.lora_place().is_open(), "the last adapter takes the session with it");
    assert!(runner.prefill(0, 0, &PROMPT, old, LogitsWanted::None).is_err());
    assert_eq!(answer(&mut runner, 0, 0), plain, "and the base model answers as before");
    adapters.load(&place.adapter(2, 4, &["attn_v"])).unwrap();
    assert!(id(&adapters, "adapter-2") > old, "a number is never used again");
}

#[test]
fn a_replaced_adapter_serves_its_old_answers_and_the_new_one_the_new() {
    let place = Place::new();
    let (mut runner, adapters) = place.runner(&place.base, 64 * MIB, Element::F32);
    let adapter = place.whole(1);
    assert!(!adapters.load(&adapter).unwrap());
    let old = adapters.lease("adapter-1").unwrap();
    let before = answer(&mut runner, 0, old.id());
    assert!(adapters.load(&adapter).unwrap(), "it replaces");
    let new = adapters.lease("adapter-1").unwrap();
    assert_ne!(old.id(), new.id());
    assert_eq!((adapters.resident(), adapters.views().len()), (2, 1));
    let rows = batch(&mut runner, [old.id(), new.id(), 0, 0]);
    assert!(distance(&before, &rows[0]) < 0.03 && distance(&rows[0], &rows[1]) < 0.03);
    drop(old);
    wait_until("the old one stays", || adapters.resident() == 1);
    assert!(distance(&rows[1], &answer(&mut runner, 0, new.id())) < 0.03);
}

#[test]
fn what_does_not_fit_is_refused_with_figures_and_changes_nothing() {
    let place = Place::new();
    let (mut runner, adapters) = place.runner(&place.base, MIB, Element::F32);
    adapters.load(&place.adapter(1, 4, &["attn_q"])).unwrap();
    let before = answer(&mut runner, 0, id(&adapters, "adapter-1"));
    let words = adapters.load(&place.adapter(2, 64, &["ffn_up"])).unwrap_err().to_string();
    assert!(words.contains("MiB") && words.contains("adapter-2"), "{words}");
    assert_eq!(adapters.views().len(), 1);
    assert_eq!(answer(&mut runner, 0, id(&adapters, "adapter-1")), before);

    let damaged = place.adapter(3, 2, &["attn_k"]);
    std::fs::write(damaged.dir().join("adapter.safetensors"), b"nothing").unwrap();
    assert!(matches!(adapters.load(&damaged), Err(AdapterRefused::Unfit(_))));
    let (_, others) = place.runner(&place.merged(9), MIB, Element::F32);
    let words = others.load(&place.adapter(4, 2, &["attn_k"])).unwrap_err().to_string();
    assert!(words.contains("made for tiny"), "{words}");
}

#[test]
fn adapters_come_and_go_while_rows_are_computed() {
    let place = Place::new();
    let (mut runner, adapters) = place.runner(&place.base, 64 * MIB, Element::F32);
    adapters.load(&place.whole(1)).unwrap();
    let lease = adapters.lease("adapter-1").unwrap();
    let truth = answer(&mut runner, 0, lease.id());
    let others: Vec<_> = (2..5).map(|seed| place.adapter(seed, 4, &["attn_q", "ffn_gate"])).collect();
    std::thread::scope(|scope| {
        let steward = scope.spawn(|| {
            for adapter in others.iter().cycle().take(12) {
                adapters.load(adapter).unwrap();
                adapters.unload(&adapter.manifest().name).unwrap();
            }
        });
        let mut runs = 0;
        while !steward.is_finished() || runs < 20 {
            assert!(distance(&truth, &answer(&mut runner, 0, lease.id())) < 1e-4);
            runs += 1;
        }
    });
    wait_until("one adapter is left", || adapters.resident() == 1);
}
