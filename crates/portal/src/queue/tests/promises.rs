//! What holds after every single step, whatever is asked and whenever answers end.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::world::{World, member};
use crate::queue::{Class, QueueSettings, Quota, Refusal, TicketId};

#[derive(Debug, Clone)]
enum Step {
    Enter { member: usize, class: Class, deadline: Option<u64> },
    End(usize),
    Leave(usize),
    Wait(u64),
}

fn step(members: usize) -> impl Strategy<Value = Step> {
    let class = prop_oneof![
        1 => Just(Class::Crisis),
        10 => Just(Class::Normal),
        2 => Just(Class::Background),
    ];
    let deadline = proptest::option::weighted(0.2, 1_u64..60);
    prop_oneof![
        6 => (0..members, class, deadline)
            .prop_map(|(member, class, deadline)| Step::Enter { member, class, deadline }),
        4 => any::<usize>().prop_map(Step::End),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => (0_u64..20).prop_map(Step::Wait),
    ]
}

fn workload() -> impl Strategy<Value = (usize, Vec<Step>)> {
    (1_usize..5, 1_usize..9)
        .prop_flat_map(|(places, members)| (Just(places), proptest::collection::vec(step(members), 1..90)))
}

fn settings(running: u32) -> QueueSettings {
    let mut settings = QueueSettings::default();
    settings.quotas.members = Quota { waiting: 6, running, per_hour: None };
    settings.classes.crisis.members_may = true;
    settings
}

/// Takes one step; answers whether anything more urgent than a normal question came.
fn take(world: &mut World, step: &Step, look: impl FnMut(&World, TicketId)) -> bool {
    let mut urgent = false;
    match step {
        Step::Enter { member, class, deadline } => {
            let taken = world.enter(*member, *class, deadline.map(Duration::from_secs));
            urgent = taken.is_ok() && *class == Class::Crisis;
        }
        Step::End(nth) => world.end(*nth),
        Step::Leave(nth) => world.leave(*nth),
        Step::Wait(seconds) => world.now += Duration::from_secs(*seconds),
    }
    world.expire();
    world.dispatch(look);
    urgent
}

/// Nobody who has something running, or came later as a first, gets a place before a first that waits.
fn no_overtaking(world: &World, chosen: TicketId) {
    let known = &world.waiting[&chosen];
    let own = world.waiting.iter().filter(|(_, other)| other.member == known.member);
    let before = own.filter(|(id, other)| other.class == known.class && **id < chosen).count();
    assert_eq!(before, 0, "a member's own questions keep their order");
    for (id, other) in world.waiting.iter().filter(|(_, other)| other.class <= known.class) {
        let is_first = world.runs(other.member) == 0;
        if other.member == known.member || !is_first {
            continue;
        }
        assert_eq!(other.class, known.class, "{id:?} is more urgent than {chosen:?}");
        assert_eq!(world.runs(known.member), 0, "{chosen:?} is a second, and {id:?} a first that waits");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_members_second_request_never_overtakes_anothers_first((places, steps) in workload()) {
        let mut world = World::new(places, settings(64));
        for step in &steps {
            take(&mut world, step, no_overtaking);
        }
    }

    #[test]
    fn no_place_is_idle_while_somebody_may_have_it((places, steps) in workload()) {
        let mut world = World::new(places, settings(2));
        for step in &steps {
            take(&mut world, step, |_, _| {});
            let free = world.places().free;
            for known in world.waiting.values() {
                let is_held = known.class == Class::Background && free <= 1.min(places - 1);
                prop_assert!(free == 0 || world.runs(known.member) >= 2 || is_held, "{known:?} waits, {free} free");
            }
        }
    }

    #[test]
    fn background_begins_only_when_nobody_else_waits((places, steps) in workload()) {
        let mut world = World::new(places, settings(64));
        for step in &steps {
            take(&mut world, step, |world, chosen| {
                let others = world.waiting.values().filter(|known| known.class != Class::Background).count();
                assert!(world.waiting[&chosen].class != Class::Background || others == 0);
            });
        }
    }

    #[test]
    fn the_place_of_a_members_first_request_never_grows_but_by_a_higher_class((places, steps) in workload()) {
        let mut world = World::new(places, settings(64));
        let mut before: BTreeMap<TicketId, u32> = BTreeMap::new();
        for step in &steps {
            let urgent = take(&mut world, step, |_, _| {});
            let standings = world.standings();
            let mut now = BTreeMap::new();
            for (member, id) in world.firsts(Class::Normal) {
                let is_urgent_too = world.firsts(Class::Crisis).contains_key(&member);
                if world.runs(member) == 0 && !is_urgent_too {
                    now.insert(id, standings[&id].place);
                }
            }
            for (id, place) in &now {
                let earlier = before.get(id).copied().unwrap_or(u32::MAX);
                prop_assert!(urgent || *place <= earlier, "{id:?}: from {earlier} to {place} by {step:?}");
            }
            before = now;
        }
    }

    #[test]
    fn places_are_numbered_from_one_without_a_gap_and_the_first_is_who_begins((places, steps) in workload()) {
        let mut world = World::new(places, settings(2));
        for step in &steps {
            take(&mut world, step, |_, _| {});
            let mut numbers: Vec<u32> = world.standings().values().map(|standing| standing.place).collect();
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (1..=world.waiting.len() as u32).collect::<Vec<_>>());
            prop_assert_eq!(world.queue.waiting(), world.waiting.len());
            prop_assert_eq!(world.queue.running(), world.running.len());

            let next = world.queue.standings(world.now, world.places()).first().map(|(id, _)| *id);
            world.capacity += 1;
            if world.queue.can_begin(world.places()) {
                let mut first = None;
                world.dispatch(|_, id| first = first.or(Some(id)));
                prop_assert_eq!(first, next);
            }
            world.capacity -= 1;
        }
    }

    #[test]
    fn quotas_hold_and_deadlines_are_kept((places, steps) in workload()) {
        let mut world = World::new(places, settings(2));
        for step in &steps {
            if let Step::Enter { member, class, deadline } = step {
                let waits = world.waiting.values().filter(|known| known.member == *member).count();
                let taken = world.enter(*member, *class, deadline.map(Duration::from_secs));
                match taken {
                    Err(Refusal::Quota { .. }) => prop_assert_eq!(waits, 6),
                    Err(Refusal::TooLongAWait { expected, .. }) => {
                        prop_assert!(expected > Duration::from_secs(deadline.unwrap_or(1800)));
                    }
                    Err(Refusal::Full { .. }) => prop_assert!(false, "there is room for more"),
                    Ok(_) => prop_assert!(waits < 6),
                }
                world.dispatch(|_, _| {});
            } else {
                take(&mut world, step, |_, _| {});
            }
            for member in 0..9 {
                prop_assert!(world.runs(member) <= 2);
            }
            prop_assert!(world.queue.next_deadline().is_none_or(|until| until > world.now));
        }
    }

    #[test]
    fn whoever_waits_as_a_first_begins_after_at_most_one_round_of_the_others(
        (places, steps) in workload(),
        weights in proptest::collection::vec(0.25_f64..4.0, 9),
    ) {
        let mut settings = settings(64);
        settings.weights.by_name = (0..9).map(|n| (member(n).name().to_owned(), weights[n])).collect();
        let mut world = World::new(places, settings);
        for step in steps.iter().filter(|step| !matches!(step, Step::Enter { class: Class::Crisis, .. })) {
            take(&mut world, step, |_, _| {});
        }
        // From here on the others come without end.
        let is_first = |(number, _): &(usize, TicketId)| world.runs(*number) == 0;
        let Some((chosen, id)) = world.firsts(Class::Normal).into_iter().find(is_first) else { return Ok(()) };
        let rounds = (1.0 / weights[chosen]).ceil();
        let others = || (0..9).filter(move |other| *other != chosen);
        let turns: f64 = others().map(|other| (weights[other].max(1.0) + 1.0) * rounds).sum();
        let begun = world.begun.len();
        while world.waiting.contains_key(&id) {
            for other in others() {
                world.enter(other, Class::Normal, None).ok();
            }
            world.end(0);
            world.dispatch(|_, _| {});
            let waited = world.begun.len() - begun;
            prop_assert!(waited as f64 <= turns + places as f64, "{waited} turns of others");
        }
    }
}
