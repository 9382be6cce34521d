use proptest::prelude::*;

use super::*;

const PATIENCE: Patience = Patience {
    hung_after: Duration::from_secs(20),
    starting_at_most: Duration::from_secs(900),
    grace: Duration::from_secs(5),
    first_pause: Duration::from_millis(200),
    longest_pause: Duration::from_secs(30),
    stable_after: Duration::from_secs(60),
    retry_failed: Duration::from_secs(60),
};

fn s(seconds: u64) -> Instant {
    Duration::from_secs(seconds)
}

/// A worker whose process runs and has said that it is ready, at second 1.
fn ready() -> Policy {
    let mut policy = Policy::new(PATIENCE, s(0));
    assert_eq!(policy.poll(s(0)), Some(Action::Spawn));
    policy.handle(s(0), Input::Spawned { pid: 7 });
    policy.handle(s(1), Input::Answered(Answer::Ready));
    assert_eq!(policy.state(), State::Ready);
    policy
}

fn exited() -> Input {
    Input::Exited { reason: "killed by SIGKILL".into() }
}

#[test]
fn a_worker_that_dies_is_started_again_after_a_short_pause_and_says_why() {
    let mut policy = ready();
    policy.handle(s(2), exited());
    assert_eq!((policy.state(), policy.pid()), (State::BackingOff, None));
    assert_eq!(policy.last_exit(), Some("killed by SIGKILL"));
    assert_eq!(policy.poll(s(2)), None);
    let due = policy.deadline().unwrap();
    assert_eq!(due, s(2) + PATIENCE.first_pause);
    assert_eq!(policy.poll(due), Some(Action::Spawn));
    policy.handle(due, Input::Spawned { pid: 8 });
    assert_eq!((policy.state(), policy.restarts()), (State::Starting, 1));
}

#[test]
fn pauses_double_up_to_the_longest_and_a_stable_time_forgets_them() {
    let mut policy = ready();
    let mut now = s(2);
    let mut pauses = Vec::new();
    for pid in 0..12 {
        policy.handle(now, exited());
        let due = policy.deadline().unwrap();
        pauses.push(due - now);
        now = due;
        assert_eq!(policy.poll(now), Some(Action::Spawn));
        policy.handle(now, Input::Spawned { pid });
    }
    assert_eq!(&pauses[..3], [200, 400, 800].map(Duration::from_millis));
    assert_eq!(pauses[11], PATIENCE.longest_pause);
    policy.handle(now, Input::Answered(Answer::Ready));
    policy.handle(now + PATIENCE.stable_after, Input::Answered(Answer::Ready));
    now += PATIENCE.stable_after + s(1);
    policy.handle(now, exited());
    assert_eq!(policy.deadline().unwrap() - now, PATIENCE.first_pause);
}

#[test]
fn a_worker_that_stops_answering_is_killed_without_being_asked_first() {
    let mut policy = ready();
    assert_eq!(policy.poll(s(20)), None);
    assert_eq!(policy.poll(s(21)), Some(Action::Kill));
    assert_eq!(policy.poll(s(21)), None);
    policy.handle(s(21), exited());
    assert_eq!(policy.last_exit(), Some("it gave no answer for 20 s, so it was ended"));
    assert_eq!(policy.state(), State::BackingOff);
}

#[test]
fn loading_may_take_minutes_as_long_as_it_answers() {
    let mut policy = Policy::new(PATIENCE, s(0));
    policy.poll(s(0));
    policy.handle(s(0), Input::Spawned { pid: 1 });
    for second in (0..600).step_by(10) {
        policy.handle(s(second), Input::Answered(Answer::Loading(Some("reads weights".into()))));
        assert_eq!(policy.poll(s(second)), None);
    }
    assert_eq!(policy.state(), State::Starting);
    assert_eq!(policy.detail().as_deref(), Some("reads weights"));
}

#[test]
fn a_worker_that_loads_for_ever_is_started_afresh() {
    let mut policy = Policy::new(PATIENCE, s(0));
    policy.poll(s(0));
    policy.handle(s(0), Input::Spawned { pid: 1 });
    policy.handle(s(890), Input::Answered(Answer::Loading(None)));
    assert_eq!((policy.poll(s(890)), policy.deadline()), (None, Some(s(900))));
    assert_eq!(policy.poll(s(900)), Some(Action::Kill));
    policy.handle(s(900), exited());
    assert_eq!(policy.last_exit(), Some("it was not ready after 900 s, so it was ended"));
}

#[test]
fn a_worker_that_cannot_work_says_so_and_is_tried_afresh_later() {
    let mut policy = ready();
    let failed = || Input::Answered(Answer::Failed("there is no model".into()));
    for second in (2..62).step_by(10) {
        policy.handle(s(second), failed());
        assert_eq!(policy.poll(s(second)), None);
    }
    assert_eq!((policy.state(), policy.detail()), (State::Failed, Some("there is no model".into())));
    assert_eq!(policy.deadline(), Some(s(62)));
    assert_eq!(policy.poll(s(62)), Some(Action::Terminate));
}

#[test]
fn a_restart_that_was_asked_for_waits_for_nothing() {
    let mut policy = ready();
    policy.handle(s(2), Input::Restart);
    assert_eq!(policy.poll(s(2)), Some(Action::Terminate));
    policy.handle(s(3), Input::Exited { reason: "exit status 0".into() });
    assert_eq!(policy.poll(s(3)), Some(Action::Spawn));
}

#[test]
fn a_worker_that_does_not_stop_in_time_is_killed() {
    let mut policy = ready();
    policy.handle(s(2), Input::Stop);
    assert_eq!(policy.poll(s(2)), Some(Action::Terminate));
    assert_eq!(policy.poll(s(6)), None);
    assert_eq!(policy.deadline(), Some(s(7)));
    assert_eq!(policy.poll(s(7)), Some(Action::Kill));
    policy.handle(s(7), exited());
    assert!(policy.is_over());
}

#[test]
fn stopping_while_the_process_is_being_started_stops_it_as_soon_as_it_runs() {
    let mut policy = Policy::new(PATIENCE, s(0));
    policy.poll(s(0));
    policy.handle(s(0), Input::Stop);
    policy.handle(s(0), Input::Spawned { pid: 1 });
    assert_eq!(policy.poll(s(0)), Some(Action::Terminate));
}

/// What the world may do to a worker, and how it behaves.
#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Crash,
    SpawnBreaks,
    Hang(bool),
    IgnoreTerminate(bool),
    Say(u8),
    Restart,
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u64..40_000).prop_map(Step::Wait),
        3 => Just(Step::Crash),
        1 => Just(Step::SpawnBreaks),
        1 => any::<bool>().prop_map(Step::Hang),
        1 => any::<bool>().prop_map(Step::IgnoreTerminate),
        3 => (0u8..3).prop_map(Step::Say),
        2 => Just(Step::Restart),
        1 => Just(Step::Stop),
    ]
}

/// A process as the kernel has it, and what the policy was seen to do.
struct World {
    now: Instant,
    policy: Policy,
    alive: bool,
    hangs: bool,
    deaf: bool,
    spawn_breaks: bool,
    says: Answer,
    /// What the policy was told last.
    heard: Answer,
    last_answer: Instant,
    asked: bool,
    stop_at: Option<Instant>,
    died_at: Option<Instant>,
}

impl World {
    fn new() -> World {
        World {
            now: s(0),
            policy: Policy::new(PATIENCE, s(0)),
            alive: false,
            hangs: false,
            deaf: false,
            spawn_breaks: false,
            says: Answer::Ready,
            heard: Answer::Ready,
            last_answer: s(0),
            asked: false,
            stop_at: None,
            died_at: None,
        }
    }

    fn die(&mut self) {
        self.alive = false;
        self.died_at = (!self.asked).then_some(self.now);
        self.policy.handle(self.now, exited());
    }

    fn act(&mut self) {
        while let Some(action) = self.policy.poll(self.now) {
            match action {
                Action::Spawn => {
                    assert!(!self.alive, "a second process beside a living one");
                    assert!(self.stop_at.is_none(), "a start after the stop");
                    if let Some(died) = self.died_at.take() {
                        assert!(self.asked || self.now - died >= PATIENCE.first_pause, "a hot loop");
                    }
                    self.asked = false;
                    if self.spawn_breaks {
                        self.died_at = Some(self.now);
                        self.policy.handle(self.now, Input::SpawnFailed { reason: "no memory".into() });
                    } else {
                        self.alive = true;
                        self.last_answer = self.now;
                        self.policy.handle(self.now, Input::Spawned { pid: 1 });
                    }
                }
                Action::Terminate => {
                    assert!(self.alive, "a signal to a dead process");
                    let failed = matches!(self.heard, Answer::Failed(_));
                    assert!(self.asked || self.stop_at.is_some() || failed, "ended for no reason");
                    if !self.deaf && !self.hangs {
                        self.die();
                    }
                }
                Action::Kill => {
                    assert!(self.alive, "a signal to a dead process");
                    self.die();
                }
            }
        }
    }

    /// Lets time pass in the small steps in which the shell asks the worker how it is.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let next = self.policy.deadline().unwrap_or(end).min(self.now + s(2)).min(end);
            self.now = next.max(self.now + Duration::from_millis(1));
            if self.alive && !self.hangs {
                self.last_answer = self.now;
                self.heard = self.says.clone();
                self.policy.handle(self.now, Input::Answered(self.says.clone()));
            }
            self.act();
            let silent = self.now - self.last_answer;
            // Asked politely to go just before it was noticed, it has the grace as well.
            let longest = PATIENCE.hung_after + PATIENCE.grace;
            assert!(!self.alive || silent <= longest, "a hung worker lives for {silent:?}");
            if let Some(stop) = self.stop_at {
                assert!(
                    self.now <= stop + PATIENCE.grace || self.policy.is_over(),
                    "the stop takes too long"
                );
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Wait(milliseconds) => self.wait(Duration::from_millis(*milliseconds)),
            Step::Crash if self.alive => self.die(),
            Step::Crash => {}
            Step::SpawnBreaks => self.spawn_breaks = !self.spawn_breaks,
            Step::Hang(hangs) => self.hangs = *hangs,
            Step::IgnoreTerminate(deaf) => self.deaf = *deaf,
            Step::Say(0) => self.says = Answer::Ready,
            Step::Say(1) => self.says = Answer::Loading(None),
            Step::Say(_) => self.says = Answer::Failed("broken".into()),
            Step::Restart => {
                self.asked = true;
                self.policy.handle(self.now, Input::Restart);
            }
            Step::Stop => {
                self.stop_at.get_or_insert(self.now);
                self.policy.handle(self.now, Input::Stop);
            }
        }
        self.act();
    }
}

proptest! {
    /// Whatever happens in whatever order: never two processes, never a signal to nobody, never a hot loop, never a
    /// start after the stop, a hung worker is gone in time, a stop ends in time; and when the world behaves again, the
    /// worker is ready again.
    #[test]
    fn whatever_happens_the_worker_is_kept_alive_and_can_be_stopped(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        world.act();
        for step in steps {
            world.take(&step);
        }
        (world.hangs, world.deaf, world.spawn_breaks, world.says) = (false, false, false, Answer::Ready);
        world.wait(s(120));
        if world.stop_at.is_some() {
            prop_assert!(world.policy.is_over() && !world.alive);
        } else {
            prop_assert_eq!(world.policy.state(), State::Ready);
        }
    }
}
