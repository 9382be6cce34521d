use super::residency::*;
use proptest::prelude::*;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const NOW: Duration = Duration::ZERO;

fn model(name: &str, mib: u64, pinned: bool) -> Candidate {
    Candidate { name: name.into(), cost: Cost { memory: mib * MIB, kv: 0 }, pinned }
}

fn of(mib: u64, models: &[(&str, u64, bool)]) -> Residency {
    let budget = Cost { memory: mib * MIB, kv: u64::MAX };
    Residency::new(budget, models.iter().map(|(name, mib, pinned)| model(name, *mib, *pinned)).collect())
}

/// Does what it says until it says nothing more; gives what was done.
fn settle(residency: &mut Residency, now: Duration, busy: &[usize]) -> Vec<Action> {
    let mut done = Vec::new();
    while let Some(action) = residency.next(now, &|i| Demand { running: busy.contains(&i), awaited: false }) {
        match action {
            Action::Load(i) => residency.loaded(i),
            Action::Unload(i) => residency.unloaded(i),
            Action::Tell => continue,
        }
        done.push(action);
    }
    done
}

#[test]
fn a_model_is_loaded_when_it_is_asked_for_and_the_least_recently_used_makes_room() {
    let mut residency = of(100, &[("home", 40, true), ("a", 30, false), ("b", 30, false), ("c", 30, false)]);
    for i in [0, 1, 2] {
        assert_eq!(residency.want(i, NOW), Ok(false));
        assert_eq!(settle(&mut residency, NOW, &[]), [Action::Load(i)]);
    }
    assert_eq!(residency.want(1, NOW), Ok(true), "a is used again, so b is the older one");
    residency.want(3, NOW).unwrap();
    assert_eq!(settle(&mut residency, NOW, &[]), [Action::Unload(2), Action::Load(3)]);
    assert_eq!((residency.state(0), residency.state(1)), (&State::Ready, &State::Ready));
}

#[test]
fn what_can_never_fit_is_refused_in_words_with_the_figures() {
    let mut residency = of(100, &[("home", 40, true), ("huge", 61, false)]);
    let words = residency.want(1, NOW).unwrap_err().to_string();
    for expected in ["huge needs about 61 MiB", "budget of 100 MiB", "(home)", "leave 60 MiB", "memory_mib"] {
        assert!(words.contains(expected), "{words}");
    }
    assert_eq!(settle(&mut residency, NOW, &[]), []);
}

#[test]
fn a_busy_model_is_left_alone_until_patience_ends_and_then_only_takes_nothing_new() {
    let mut residency = of(50, &[("a", 40, false), ("b", 40, false)]);
    residency.want(0, NOW).unwrap();
    settle(&mut residency, NOW, &[]);
    residency.want(1, NOW).unwrap();
    assert_eq!(settle(&mut residency, PATIENCE / 2, &[0]), []);
    assert_eq!(residency.want(0, PATIENCE / 2), Ok(true), "a goes on answering");
    assert_eq!(settle(&mut residency, PATIENCE, &[0]), [], "its requests end in peace");
    assert_eq!(residency.want(0, PATIENCE), Ok(false), "and a new one waits for its turn");
    assert_eq!(
        settle(&mut residency, PATIENCE, &[]),
        [Action::Unload(0), Action::Load(1), Action::Unload(1), Action::Load(0)],
        "b comes, and after it a again, for whom somebody waits"
    );
}

#[test]
fn idle_models_are_not_thrown_out_for_one_that_still_has_to_wait() {
    let mut residency = of(100, &[("idle", 20, false), ("busy", 60, false), ("large", 90, false)]);
    for i in [0, 1] {
        residency.want(i, NOW).unwrap();
        settle(&mut residency, NOW, &[]);
    }
    residency.want(2, NOW).unwrap();
    assert_eq!(settle(&mut residency, NOW, &[1]), [], "the idle one alone would not be enough");
    assert_eq!(residency.state(0), &State::Ready);
}

#[test]
fn a_steward_may_unload_what_is_not_pinned_and_try_again_what_failed() {
    let mut residency = of(100, &[("home", 40, true), ("a", 30, false)]);
    residency.want(1, NOW).unwrap();
    assert_eq!(residency.next(NOW, &|_| Demand::default()), Some(Action::Load(1)));
    residency.failed(1, "its file is cut off".into());
    assert!(residency.want(1, NOW).unwrap_err().to_string().contains("cut off"));
    assert_eq!(residency.load(1, NOW), Ok(false));
    assert_eq!(settle(&mut residency, NOW, &[]), [Action::Load(1)]);
    residency.unload(1).unwrap();
    assert_eq!(settle(&mut residency, NOW, &[1]), []);
    assert_eq!(settle(&mut residency, NOW, &[]), [Action::Unload(1)]);
    assert!(residency.unload(0).unwrap_err().to_string().contains("stays loaded"));
}

#[test]
fn key_value_memory_has_a_budget_of_its_own() {
    let chat = |name: &str| Candidate {
        name: name.into(),
        cost: Cost { memory: 10 * MIB, kv: 4 * MIB },
        pinned: false,
    };
    let budget = Cost { memory: 1000 * MIB, kv: 8 * MIB };
    let mut residency = Residency::new(budget, vec![chat("a"), chat("b"), chat("c")]);
    for i in [0, 1, 2] {
        residency.want(i, NOW).unwrap();
    }
    assert_eq!(
        settle(&mut residency, NOW, &[]),
        [Action::Load(0), Action::Load(1), Action::Unload(0), Action::Load(2)]
    );
}

#[derive(Debug, Clone)]
enum Event {
    Want(usize),
    End(usize),
    Unload(usize),
    Reload(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0usize..6).prop_map(Event::Want),
        3 => (0usize..6).prop_map(Event::End),
        1 => (0usize..6).prop_map(Event::Unload),
        1 => (0usize..6).prop_map(Event::Reload),
        2 => (0u64..8).prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_budget_holds_the_busy_and_the_pinned_stay_and_everyone_who_waits_is_served(
        sizes in proptest::collection::vec((1u64..60, 0u64..20, proptest::bool::weighted(0.2)), 6),
        events in proptest::collection::vec(event(), 1..80),
        broken in proptest::option::weighted(0.2, 0usize..6),
    ) {
        let budget = Cost { memory: 100, kv: 30 };
        let candidates = sizes.iter().enumerate().map(|(i, (memory, kv, pinned))| Candidate {
            name: format!("m{i}"),
            cost: Cost { memory: memory + kv, kv: *kv },
            pinned: *pinned,
        });
        let mut residency = Residency::new(budget, candidates.collect());
        let mut running = [0usize; 6];
        let mut waiting = [0usize; 6];
        let mut now = Duration::ZERO;
        let step = |residency: &mut Residency, running: &mut [usize; 6], waiting: &mut [usize; 6], now| {
            let demand = |i: usize| Demand { running: running[i] > 0, awaited: waiting[i] > 0 };
            let action = residency.next(now, &demand);
            match action {
                Some(Action::Load(i)) => {
                    assert!(residency.used().memory <= budget.memory && residency.used().kv <= budget.kv);
                    if broken == Some(i) {
                        residency.failed(i, "torn".into());
                        waiting[i] = 0;
                    } else {
                        residency.loaded(i);
                    }
                }
                Some(Action::Unload(i)) => {
                    assert!(running[i] == 0, "a model with running requests is not unloaded");
                    assert!(!residency.candidate(i).pinned, "what is pinned stays");
                    residency.unloaded(i);
                }
                Some(Action::Tell) | None => {}
            }
            for i in 0..6 {
                if waiting[i] > 0 && residency.state(i) == &State::Ready {
                    running[i] += std::mem::take(&mut waiting[i]);
                }
            }
            action.is_some()
        };
        for event in events {
            match event {
                Event::Want(i) => match residency.want(i, now) {
                    Ok(true) => running[i] += 1,
                    Ok(false) => waiting[i] += 1,
                    Err(_) => {}
                },
                Event::End(i) => running[i] = running[i].saturating_sub(1),
                // Whoever waits for a model that a steward sends away asks again, as the registry's waiters do.
                Event::Unload(i) => if residency.unload(i).is_ok() && waiting[i] > 0 {
                    prop_assert_eq!(residency.want(i, now), Ok(false));
                },
                Event::Reload(i) => match residency.load(i, now) {
                    Ok(true) => running[i] += 1,
                    Ok(false) => waiting[i] += 1,
                    Err(_) => {}
                },
                Event::Pass(seconds) => now += Duration::from_secs(seconds),
            }
            while step(&mut residency, &mut running, &mut waiting, now) {}
            prop_assert!(residency.used().memory <= budget.memory && residency.used().kv <= budget.kv);
        }
        // Requests end, nobody new comes: then everyone who waits gets the model within a few rounds.
        for _ in 0..20 {
            now += PATIENCE;
            while step(&mut residency, &mut running, &mut waiting, now) {}
            running = [0; 6];
        }
        prop_assert_eq!(waiting, [0; 6], "somebody waits for ever");
    }
}
