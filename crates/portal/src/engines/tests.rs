//! The pool under thousands of random days, and the engines' handle by hand.

use std::collections::BTreeSet;
use std::time::Duration;

use banyan_openai::{ApiError, ChatMessage, ChatRequest, ClientError, HttpAddress, Role};
use http::StatusCode;
use proptest::prelude::*;
use tokio::time::Instant;

use super::pool::{EngineId, EngineState, Fault, Place, Pool, Sight};
use super::{EngineSpec, Engines, Known, Maker, Patience, fault};

const SECOND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_millis(500);

fn ready(slots: usize) -> Sight {
    Sight::Ready { slots: Some(slots) }
}

fn broken() -> Fault {
    Fault { reason: "broken".into(), rest: None }
}

/// A pool whose engines all answer.
fn all_ready(slots: &[usize]) -> Pool {
    let mut pool = Pool::new(slots.iter().map(|_| None));
    for (index, slots) in slots.iter().enumerate() {
        pool.looked(EngineId(index), Instant::now(), ready(*slots));
    }
    pool
}

#[derive(Debug, Clone)]
enum Step {
    Lease { avoid: Option<usize> },
    Answered(usize),
    Failed(usize, Option<u64>),
    Release(usize),
    Look(usize, Sight),
    Pass(u64),
}

fn sight() -> impl Strategy<Value = Sight> {
    prop_oneof![
        6 => (0_usize..5).prop_map(|slots| Sight::Ready { slots: Some(slots) }),
        1 => Just(Sight::Ready { slots: None }),
        1 => Just(Sight::Loading("reading".into())),
        1 => Just(Sight::Away("gone".into())),
        1 => Just(Sight::Silent("silent".into())),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::option::weighted(0.2, 0_usize..4).prop_map(|avoid| Step::Lease { avoid }),
        3 => (0_usize..50).prop_map(Step::Answered),
        2 => (0_usize..50, prop::option::weighted(0.2, 0_u64..90)).prop_map(|(place, rest)| Step::Failed(place, rest)),
        4 => (0_usize..50).prop_map(Step::Release),
        6 => (0_usize..4, sight()).prop_map(|(engine, sight)| Step::Look(engine, sight)),
        3 => (0_u64..5_000).prop_map(Step::Pass),
    ]
}

/// A pool with everything that is under way in it.
struct Day {
    pool: Pool,
    now: Instant,
    places: Vec<Place>,
    engines: usize,
}

impl Day {
    fn new(allowed: &[Option<usize>]) -> Self {
        Self {
            pool: Pool::new(allowed.iter().copied()),
            now: Instant::now(),
            places: Vec::new(),
            engines: allowed.len(),
        }
    }

    fn take(&mut self, step: Step) {
        let engines = self.engines;
        match step {
            Step::Lease { avoid } => self.lease(avoid.map(|engine| EngineId(engine % engines))),
            Step::Answered(at) if at < self.places.len() => {
                self.pool.answered(&self.places[at]);
            }
            Step::Failed(at, rest) if at < self.places.len() => {
                let rest = rest.map(|seconds| SECOND * u32::try_from(seconds).unwrap());
                self.pool.failed(&self.places[at], self.now, Fault { rest, ..broken() });
            }
            Step::Release(at) if at < self.places.len() => {
                let place = self.places.swap_remove(at);
                self.pool.release(&place);
            }
            Step::Look(engine, sight) if engine < engines => {
                self.pool.looked(EngineId(engine), self.now, sight);
            }
            Step::Pass(milliseconds) => self.now += Duration::from_millis(milliseconds),
            _ => {}
        }
        for (index, entry) in self.pool.entries().enumerate() {
            let held = self.places.iter().filter(|place| place.id.0 == index).count();
            assert_eq!(entry.in_flight, held, "every place is counted, once");
        }
        assert!(self.pool.free() <= self.pool.capacity());
    }

    fn lease(&mut self, avoid: Option<EngineId>) {
        let avoid: Vec<EngineId> = avoid.into_iter().collect();
        let before: Vec<(EngineState, usize, usize)> =
            self.pool.entries().map(|entry| (entry.state, entry.in_flight, entry.slots)).collect();
        let version = self.pool.version();
        let Some(place) = self.pool.lease(&avoid) else {
            for (index, (state, in_flight, slots)) in before.into_iter().enumerate() {
                let has_room = state == EngineState::Ready && in_flight < slots;
                assert!(!has_room || avoid.contains(&EngineId(index)), "nobody waits beside a free place");
            }
            return;
        };
        assert!(self.pool.version() > version && !avoid.contains(&place.id));
        let (state, in_flight, slots) = before[place.id.0];
        assert!(in_flight < slots, "no engine gets more than its places");
        match state {
            EngineState::Ready => {}
            EngineState::Trial => {
                let others = self.places.contains(&place);
                assert!(!others, "one question at a time is on trial");
            }
            away => panic!("a question went to an engine that is {away:?}"),
        }
        for (index, (state, theirs, of)) in before.into_iter().enumerate() {
            if state == EngineState::Ready && theirs < of && !avoid.contains(&EngineId(index)) {
                assert!((in_flight + 1) * of <= (theirs + 1) * slots, "the least loaded one is asked");
            }
        }
        self.places.push(place);
    }

    /// Everything under way ends, a minute passes, every engine says that it is well.
    fn a_good_night(&mut self) {
        for place in self.places.drain(..) {
            self.pool.release(&place);
        }
        self.now += 120 * SECOND;
        for index in 0..self.engines {
            self.pool.looked(EngineId(index), self.now, ready(3));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_question_goes_to_the_least_loaded_engine_that_is_well_and_to_no_other(
        allowed in prop::collection::vec(prop::option::of(1_usize..6), 1..4),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut day = Day::new(&allowed);
        for step in steps {
            day.take(step);
        }
    }

    #[test]
    fn whatever_happened_an_engine_that_is_back_gets_all_its_work_again(
        allowed in prop::collection::vec(prop::option::of(1_usize..6), 1..4),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut day = Day::new(&allowed);
        for step in steps {
            day.take(step);
        }
        day.a_good_night();
        let mut asked = BTreeSet::new();
        while let Some(place) = day.pool.lease(&[]) {
            day.pool.answered(&place);
            asked.insert(place.id);
            day.places.push(place);
        }
        prop_assert_eq!(asked.len(), allowed.len(), "each one was asked");
        let places: usize = allowed.iter().map(|allowed| allowed.map_or(3, |most| most.min(3))).sum();
        prop_assert_eq!(day.places.len(), places, "and is full at the end");
        prop_assert_eq!(day.pool.free(), 0);
    }

    #[test]
    fn the_load_is_even_in_proportion_to_the_places(
        slots in prop::collection::vec(1_usize..40, 2..6),
        share in 0.0_f64..1.0,
    ) {
        let mut pool = all_ready(&slots);
        let all: usize = slots.iter().sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
        let questions = (share * all as f64) as usize;
        for _ in 0..questions {
            pool.lease(&[]).unwrap();
        }
        let busy: Vec<usize> = pool.entries().map(|entry| entry.in_flight).collect();
        for (mine, of_mine) in busy.iter().zip(&slots) {
            for (theirs, of_theirs) in busy.iter().zip(&slots) {
                // One question more here would be a higher load than there.
                prop_assert!(mine * of_theirs <= (theirs + 1) * of_mine, "{busy:?} of {slots:?}");
            }
        }
    }
}

#[test]
fn an_engine_that_fails_rests_longer_each_time_and_is_tried_with_one_question() {
    let mut pool = all_ready(&[4, 4]);
    let (own, other) = (EngineId(0), EngineId(1));
    let mut now = Instant::now();
    for rest in [0, 1, 2, 4, 8, 16, 32, 60, 60] {
        let place = pool.lease(&[own]).unwrap();
        pool.failed(&place, now, broken());
        pool.release(&place);
        if rest > 0 {
            now += rest * SECOND - Duration::from_millis(1);
            pool.looked(other, now, ready(4));
            assert_eq!(pool.entry(other).state, EngineState::Away, "{rest}");
            assert_eq!(pool.next_look(other, now, SOON), Duration::from_millis(500));
            now += Duration::from_millis(1);
        }
        pool.looked(other, now, ready(4));
        assert_eq!(pool.entry(other).state, EngineState::Trial, "{rest}");
        assert_eq!(pool.capacity(), 5);
    }
    let place = pool.lease(&[own]).unwrap();
    assert_eq!(pool.lease(&[own]), None);
    pool.answered(&place);
    assert_eq!((pool.entry(other).state, pool.capacity()), (EngineState::Ready, 8));
}

#[test]
fn many_questions_that_fail_together_count_as_one_failure() {
    let mut pool = all_ready(&[8]);
    let now = Instant::now();
    let places: Vec<Place> = std::iter::from_fn(|| pool.lease(&[])).collect();
    for place in &places {
        pool.failed(place, now, broken());
    }
    pool.looked(EngineId(0), now, ready(8));
    assert_eq!(pool.entry(EngineId(0)).state, EngineState::Trial, "no rest after the first failure");
    pool.failed(&places[3], now, broken());
    assert_eq!(pool.entry(EngineId(0)).state, EngineState::Trial, "old news");
}

#[test]
fn an_engine_that_is_only_full_is_left_alone_for_as_long_as_it_says() {
    let mut pool = all_ready(&[1]);
    let now = Instant::now();
    let place = pool.lease(&[]).unwrap();
    pool.failed(&place, now, Fault { reason: "full".into(), rest: Some(7 * SECOND) });
    pool.release(&place);
    pool.looked(EngineId(0), now + 6 * SECOND, ready(1));
    assert_eq!(pool.free(), 0);
    pool.looked(EngineId(0), now + 7 * SECOND, ready(1));
    assert_eq!(pool.entry(EngineId(0)).state, EngineState::Ready, "it is not on trial: it never failed");
}

#[test]
fn a_late_look_is_forgiven_twice_and_an_absent_engine_not_at_all() {
    let mut pool = all_ready(&[2]);
    let (own, now) = (EngineId(0), Instant::now());
    for _ in 0..2 {
        pool.looked(own, now, Sight::Silent("late".into()));
        assert_eq!(pool.entry(own).state, EngineState::Ready);
        assert_eq!(pool.next_look(own, now, SOON), SOON, "it is looked at again soon");
    }
    pool.looked(own, now, Sight::Silent("late".into()));
    assert_eq!(pool.entry(own).state, EngineState::Away);
    pool.looked(own, now, ready(2));
    pool.looked(own, now, Sight::Away("nobody listens".into()));
    assert_eq!((pool.free(), pool.entry(own).reason.as_deref()), (0, Some("nobody listens")));
}

#[test]
fn the_own_engine_is_looked_for_at_a_steady_pace_and_others_less_and_less_often() {
    let mut pool = all_ready(&[2, 2]);
    let now = Instant::now();
    for _ in 0..40 {
        for engine in [EngineId(0), EngineId(1)] {
            pool.looked(engine, now, Sight::Away("gone".into()));
        }
    }
    assert_eq!(pool.next_look(EngineId(0), now, SOON), SOON);
    assert_eq!(pool.next_look(EngineId(1), now, SOON), 5 * SECOND);
}

#[test]
fn what_a_failure_means_depends_on_who_refused_what() {
    let refused = |status: StatusCode, code: Option<&str>| {
        ClientError::Refused(ApiError::new(status, "server_error", code, "no").with_retry_after(9))
    };
    // error, of the own engine, is a fault, its rest, another may do better
    let cases = [
        (refused(StatusCode::BAD_REQUEST, None), true, false, None, false),
        (refused(StatusCode::BAD_REQUEST, None), false, false, None, true),
        (refused(StatusCode::UNAUTHORIZED, None), false, true, None, true),
        (refused(StatusCode::NOT_FOUND, None), false, true, None, true),
        (refused(StatusCode::NOT_FOUND, None), true, false, None, false),
        (refused(StatusCode::INTERNAL_SERVER_ERROR, None), true, false, None, true),
        (refused(StatusCode::INTERNAL_SERVER_ERROR, None), false, true, None, true),
        (refused(StatusCode::TOO_MANY_REQUESTS, None), false, true, Some(9), true),
        (refused(StatusCode::SERVICE_UNAVAILABLE, Some(ApiError::QUEUE_FULL)), true, true, Some(9), true),
        (ClientError::Silent(SECOND), false, true, None, true),
        (ClientError::GoneMidAnswer(None), true, true, None, true),
    ];
    for (error, is_own, is_fault, rest, another) in cases {
        let found = fault::fault(&error, is_own);
        assert_eq!(found.is_some(), is_fault, "{error:?} of own: {is_own}");
        assert_eq!(found.and_then(|fault| fault.rest), rest.map(Duration::from_secs), "{error:?}");
        assert_eq!(fault::another_may_do_better(&error, is_own), another, "{error:?} of own: {is_own}");
    }
}

/// The own engine and one more, which introduced itself.
fn two(maker: Maker, model: Option<&str>) -> Engines {
    let address: HttpAddress = "http://127.0.0.1:9".parse().unwrap();
    let other = EngineSpec {
        name: "other".into(),
        address: address.into(),
        api_key: None,
        slots: None,
        model: model.map(Into::into),
    };
    let engines = Engines::new(vec![EngineSpec::own("/nowhere"), other], &Patience::default());
    for (index, (maker, model)) in [(Maker::Banyan, "smol"), (maker, "listed")].into_iter().enumerate() {
        let id = EngineId(index);
        engines.shared.learn(id, Known { maker, model: Some(model.into()), context: 0 });
        engines.shared.change(|pool| pool.looked(id, Instant::now(), ready(4)));
    }
    engines
}

#[test]
fn a_question_is_put_in_the_words_of_the_engine_that_gets_it() {
    let mut question = ChatRequest::new(vec![ChatMessage::new(Role::User, "Hello")]);
    question.model = "smol".into();
    question.cache_salt = Some("member".into());
    question.shared_messages = Some(1);
    let cases = [
        (Maker::LlamaCpp, None, "listed", None),
        (Maker::Vllm, Some("named"), "named", Some("member")),
        (Maker::Banyan, None, "listed", Some("member")),
        (Maker::Other, None, "listed", None),
    ];
    for (maker, model, expected, salt) in cases {
        let engines = two(maker, model);
        let mut fitted = question.clone();
        engines.lease(&[EngineId(1)]).unwrap().fit(&mut fitted);
        assert_eq!(fitted, question, "the own engine gets it as it is");
        let lease = engines.lease(&[EngineId(0)]).unwrap();
        lease.fit(&mut fitted);
        assert_eq!((fitted.model.as_str(), fitted.cache_salt.as_deref()), (expected, salt), "{maker:?}");
        assert_eq!(fitted.shared_messages, None);

        let mut json = serde_json::to_value(&question).unwrap();
        lease.fit_json(json.as_object_mut().unwrap());
        assert_eq!(json, serde_json::to_value(&fitted).unwrap(), "{maker:?}");
    }
}

#[test]
fn only_the_own_engine_answers_as_a_model_that_is_its_alone() {
    let engines = two(Maker::LlamaCpp, None);
    for (model, only_own) in [("", false), ("smol", false), ("listed", false), ("our-adapter", true)] {
        assert_eq!(engines.without(model).contains(&EngineId(1)), only_own, "{model:?}");
        assert!(!engines.without(model).contains(&EngineId(0)));
    }
}

#[tokio::test]
async fn whoever_waits_hears_of_a_change_that_came_between_looking_and_waiting() {
    let engines = two(Maker::LlamaCpp, None);
    let leases: Vec<_> = std::iter::from_fn(|| engines.lease(&[])).collect();
    assert_eq!((leases.len(), engines.capacity()), (8, 8));
    let change = engines.changed();
    assert_eq!(engines.free(), 0);
    drop(leases);
    tokio::time::timeout(SECOND, change).await.unwrap();
    assert_eq!(engines.free(), 8);
}
