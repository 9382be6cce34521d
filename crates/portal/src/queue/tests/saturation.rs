//! A box that is always full: who gets how much of it, and whether it says honestly how long it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::world::{World, member};
use crate::queue::{Class, QueueSettings, TicketId, Weights};

/// How long answers take, in seconds: all about the same, or a few of them very long.
#[derive(Debug, Clone, Copy)]
enum Service {
    Even,
    Exponential,
}

fn seconds(service: Service, random: &mut StdRng) -> f64 {
    match service {
        Service::Even => random.random_range(8.0..12.0),
        Service::Exponential => -10.0 * (1.0 - random.random::<f64>()).ln(),
    }
}

/// A simulated box: answers end when their time is over.
struct Simulation {
    world: World,
    ends: BTreeMap<TicketId, Duration>,
    random: StdRng,
    service: Service,
    /// Seconds of a place, by member.
    served: BTreeMap<usize, f64>,
    turns: BTreeMap<usize, usize>,
}

impl Simulation {
    fn new(places: usize, settings: QueueSettings, service: Service, seed: u64) -> Self {
        Self {
            world: World::new(places, settings),
            ends: BTreeMap::new(),
            random: StdRng::seed_from_u64(seed),
            service,
            served: BTreeMap::new(),
            turns: BTreeMap::new(),
        }
    }

    fn dispatch(&mut self) -> Vec<(TicketId, usize, Duration)> {
        let before = self.world.begun.len();
        self.world.dispatch(|_, _| {});
        let mut begun = Vec::new();
        for (id, known) in self.world.begun[before..].iter().cloned() {
            let took = seconds(self.service, &mut self.random);
            self.ends.insert(id, self.world.now + Duration::from_secs_f64(took));
            *self.served.entry(known.member).or_default() += took;
            *self.turns.entry(known.member).or_default() += 1;
            begun.push((id, known.member, known.entered));
        }
        begun
    }

    /// Goes on to the next end; answers whose it was.
    fn next_end(&mut self) -> Option<usize> {
        let (id, at) = self.ends.iter().min_by_key(|(_, at)| **at).map(|(id, at)| (*id, *at))?;
        self.ends.remove(&id);
        self.world.now = at;
        let (known, _) = self.world.running.remove(&id)?;
        self.world.queue.end(at, id, true);
        Some(known.member)
    }
}

fn jain(shares: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = shares.clone().count() as f64;
    let sum: f64 = shares.clone().sum();
    sum * sum / (count * shares.map(|share| share * share).sum::<f64>())
}

fn service() -> impl Strategy<Value = Service> {
    prop_oneof![Just(Service::Even), Just(Service::Exponential)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equal_members_get_equal_shares_however_many_requests_each_keeps_in_the_queue(
        places in 1_usize..9,
        greed in proptest::collection::vec(1_usize..6, 10..25),
        service in service(),
        seed in any::<u64>(),
    ) {
        let mut simulation = Simulation::new(places, QueueSettings::default(), service, seed);
        for (member, greed) in greed.iter().enumerate() {
            (0..*greed).for_each(|_| { simulation.world.enter(member, Class::Normal, None).ok(); });
        }
        for _ in 0..greed.len() * 100 {
            simulation.dispatch();
            if let Some(member) = simulation.next_end() {
                simulation.world.enter(member, Class::Normal, None).ok();
            }
        }
        let turns = jain(simulation.turns.values().map(|turns| *turns as f64));
        let time = jain(simulation.served.values().copied());
        prop_assert_eq!(simulation.turns.len(), greed.len());
        prop_assert!(turns >= 0.99 && time >= 0.95, "turns {turns:.3}, time {time:.3}: {:?}", simulation.turns);
    }

    #[test]
    fn members_who_always_wait_get_turns_by_their_weights(
        places in 1_usize..4,
        weights in proptest::collection::vec(0.5_f64..3.0, 8..14),
        seed in any::<u64>(),
    ) {
        let by_name = weights.iter().enumerate().map(|(n, weight)| (member(n).name().to_owned(), *weight)).collect();
        let weights_by_name = Weights { by_name, ..Weights::default() };
        let settings = QueueSettings { weights: weights_by_name, ..QueueSettings::default() };
        let mut simulation = Simulation::new(places, settings, Service::Even, seed);
        for member in 0..weights.len() {
            (0..8).for_each(|_| { simulation.world.enter(member, Class::Normal, None).ok(); });
        }
        for _ in 0..weights.len() * 150 {
            for (_, member, _) in simulation.dispatch() {
                simulation.world.enter(member, Class::Normal, None).ok();
            }
            simulation.next_end();
        }
        let shares = simulation.turns.iter().map(|(member, turns)| *turns as f64 / weights[*member]);
        prop_assert!(jain(shares.clone()) >= 0.95, "{:?}", shares.collect::<Vec<_>>());
    }

    #[test]
    fn the_expected_time_is_about_what_it_comes_to(
        places in 1_usize..9,
        members in 10_usize..40,
        service in service(),
        seed in any::<u64>(),
    ) {
        let mut simulation = Simulation::new(places, QueueSettings::default(), service, seed);
        for _ in 0..40 {
            simulation.world.enter(99, Class::Normal, None).ok();
            simulation.dispatch();
            simulation.next_end();
        }
        let mut told = BTreeMap::new();
        for member in 0..members {
            let id = simulation.world.enter(member, Class::Normal, None).unwrap();
            let standing = simulation.world.standings()[&id];
            told.insert(id, standing.expected.expect("forty answers were seen"));
        }
        let start = simulation.world.now;
        let mut errors = Vec::new();
        while !simulation.world.waiting.is_empty() {
            for (id, _, _) in simulation.dispatch() {
                let waited = (simulation.world.now - start).as_secs_f64();
                if let Some(told) = told.get(&id) {
                    errors.push((waited - told.as_secs_f64()).abs());
                }
            }
            simulation.next_end();
        }
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let whole = members as f64 * 10.0 / places as f64;
        let bound = match service {
            Service::Even => 0.2 * whole + 5.0,
            Service::Exponential => 0.5 * whole + 15.0,
        };
        prop_assert!(mean <= bound, "off by {mean:.1} s of {whole:.1} s");
    }
}
