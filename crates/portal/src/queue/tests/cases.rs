//! Single cases, as one would tell them.

use std::time::Duration;

use super::world::World;
use crate::queue::{Class, QueueSettings, Quota, Rate, Refusal, TicketId};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The members in the order in which they began.
fn order(world: &World) -> Vec<usize> {
    world.begun.iter().map(|(_, known)| known.member).collect()
}

fn drain(world: &mut World) -> Vec<usize> {
    loop {
        world.dispatch(|_, _| {});
        if world.running.is_empty() {
            return order(world);
        }
        world.end(0);
    }
}

fn learned(world: &mut World, seconds: u64) {
    world.enter(99, Class::Normal, None).unwrap();
    world.dispatch(|_, _| {});
    world.now += at(seconds);
    world.end(0);
    world.begun.clear();
}

#[test]
fn one_who_sends_ten_questions_waits_for_each_who_sends_one() {
    let mut world = World::new(1, QueueSettings::default());
    (0..4).for_each(|_| {
        world.enter(0, Class::Normal, None).ok();
    });
    world.dispatch(|_, _| {});
    for member in [1, 2, 3] {
        world.enter(member, Class::Normal, None).unwrap();
    }
    assert_eq!(drain(&mut world), [0, 1, 2, 3, 0, 0, 0]);
}

#[test]
fn a_weight_of_two_gets_two_turns_and_a_half_every_second_round() {
    let mut settings = QueueSettings::default();
    settings.weights.by_name = [("member:0".to_owned(), 2.0), ("member:2".to_owned(), 0.5)].into();
    let mut world = World::new(1, settings);
    for member in [0, 1, 2] {
        (0..4).for_each(|_| {
            world.enter(member, Class::Normal, None).ok();
        });
    }
    assert_eq!(drain(&mut world)[..7], [0, 0, 1, 0, 0, 1, 2]);
}

#[test]
fn a_crisis_goes_first_where_the_settings_let_members_say_so() {
    for (members_may, expected) in [(true, [1, 3, 2]), (false, [1, 2, 3])] {
        let mut settings = QueueSettings::default();
        settings.classes.crisis.members_may = members_may;
        let mut world = World::new(1, settings);
        world.enter(1, Class::Normal, None).unwrap();
        world.dispatch(|_, _| {});
        world.enter(2, Class::Normal, None).unwrap();
        world.enter(3, Class::Crisis, None).unwrap();
        assert_eq!(drain(&mut world), expected);
    }
}

#[test]
fn who_says_crisis_too_often_waits_as_any_other() {
    let mut settings = QueueSettings::default();
    settings.classes.crisis.members_may = true;
    settings.classes.crisis.per_hour = Some(Rate { requests: 1.0, at_once: 1.0 });
    let mut world = World::new(1, settings);
    let classes: Vec<Class> = (0..2)
        .map(|_| {
            let id = world.enter(0, Class::Crisis, None).unwrap();
            world.waiting[&id].class
        })
        .collect();
    assert_eq!(classes, [Class::Crisis, Class::Normal]);
}

#[test]
fn background_work_leaves_a_place_free_but_is_not_locked_out_of_a_box_with_one() {
    for (places, begin) in [(1, 1), (2, 1), (4, 3)] {
        let mut world = World::new(places, QueueSettings::default());
        (0..6).for_each(|member| {
            world.enter(member, Class::Background, None).ok();
        });
        world.dispatch(|_, _| {});
        assert_eq!(world.begun.len(), begin, "{places} places");
    }
}

#[test]
fn whoever_would_wait_past_the_deadline_is_told_so_at_once_with_the_number() {
    let mut world = World::new(1, QueueSettings::default());
    learned(&mut world, 10);
    for member in 0..4 {
        world.enter(member, Class::Normal, None).unwrap();
    }
    world.dispatch(|_, _| {});
    let refused = world.enter(9, Class::Normal, Some(at(39)));
    assert_eq!(refused, Err(Refusal::TooLongAWait { expected: at(40), retry_after: at(1) }));
    assert!(world.enter(9, Class::Normal, Some(at(40))).is_ok());
    assert_eq!(world.queue.waiting(), 4, "who was refused left no trace");
}

#[test]
fn a_deadline_that_passes_while_waiting_lets_go_and_the_next_moves_up() {
    let mut world = World::new(1, QueueSettings::default());
    world.enter(0, Class::Normal, None).unwrap();
    world.dispatch(|_, _| {});
    let first = world.enter(1, Class::Normal, Some(at(5))).unwrap();
    let second = world.enter(2, Class::Normal, None).unwrap();
    assert_eq!(world.queue.next_deadline(), Some(at(5)));
    world.now = at(5);
    assert_eq!(world.expire(), [first]);
    assert_eq!(world.standings()[&second].place, 1);
    assert_eq!(world.queue.next_deadline(), None);
}

#[test]
fn a_full_queue_takes_nobody_but_a_crisis() {
    let mut settings = QueueSettings::default();
    settings.admission.length = 2;
    settings.classes.crisis.members_may = true;
    let mut world = World::new(0, settings);
    world.enter(0, Class::Normal, None).unwrap();
    world.enter(1, Class::Normal, None).unwrap();
    assert!(matches!(world.enter(2, Class::Normal, None), Err(Refusal::Full { .. })));
    assert!(world.enter(2, Class::Crisis, None).is_ok());
}

#[test]
fn an_hours_quota_is_counted_for_each_member_alone_and_a_refused_wait_costs_nothing() {
    let mut settings = QueueSettings::default();
    settings.quotas.members =
        Quota { waiting: 9, running: 9, per_hour: Some(Rate { requests: 60.0, at_once: 2.0 }) };
    let mut world = World::new(1, settings);
    learned(&mut world, 10);
    world.enter(98, Class::Normal, None).unwrap();
    world.dispatch(|_, _| {});
    for _ in 0..5 {
        assert!(matches!(world.enter(0, Class::Normal, Some(at(1))), Err(Refusal::TooLongAWait { .. })));
    }
    for _ in 0..2 {
        world.enter(0, Class::Normal, None).unwrap();
    }
    assert_eq!(world.enter(0, Class::Normal, None), Err(Refusal::Quota { retry_after: at(60) }));
    assert!(world.enter(1, Class::Normal, None).is_ok());
    world.now += at(60);
    assert!(world.enter(0, Class::Normal, None).is_ok());
}

#[test]
fn nothing_is_said_of_times_while_no_engine_is_ready_or_nothing_was_seen() {
    let mut world = World::new(1, QueueSettings::default());
    let running = world.enter(0, Class::Normal, None).unwrap();
    world.dispatch(|_, _| {});
    let id = world.enter(1, Class::Normal, None).unwrap();
    assert_eq!(world.standings()[&id].expected, None);
    world.now = at(10);
    world.queue.end(world.now, running, true);
    world.running.clear();
    assert_eq!(world.standings()[&id].expected, Some(at(0)));
    world.capacity = 0;
    assert_eq!(world.standings()[&id].expected, None);
    assert_eq!(world.queue.expected_for_a_newcomer(world.now, world.places()), None);
}

#[test]
fn what_is_not_known_is_passed_over() {
    let mut world = World::new(1, QueueSettings::default());
    world.queue.leave(TicketId(7));
    world.queue.end(at(1), TicketId(7), true);
    assert_eq!((world.queue.waiting(), world.queue.running()), (0, 0));
}
