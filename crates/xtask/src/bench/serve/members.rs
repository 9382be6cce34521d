//! Members who ask: a closed loop, in which each waits for an answer and thinks before asking again, and an open one, in
//! which questions come at random whether or not the server keeps up.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::client::{Answer, Client, Course, Outcome, Server};
use super::workload::{Member, Texts};

/// Answers of a run under way.
pub(crate) struct Run {
    pub(crate) began: Instant,
    pub(crate) course: Course,
    answers: Mutex<Vec<Answer>>,
}

impl Run {
    pub(crate) fn new() -> Run {
        Run { began: Instant::now(), course: Course::default(), answers: Mutex::default() }
    }

    pub(crate) fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    pub(crate) fn keep(&self, mut answer: Answer) {
        answer.text = String::new();
        if let Ok(mut answers) = self.answers.lock() {
            answers.push(answer);
        }
    }

    pub(crate) fn answers(self) -> Vec<Answer> {
        self.answers.into_inner().unwrap_or_default()
    }
}

/// One of the members of a closed loop; ends with the course.
pub(crate) fn closed_loop(
    run: &Run,
    server: &Server,
    texts: &Texts,
    seed: u64,
    number: usize,
    think: Duration,
) {
    let mut member = Member::new(texts, seed, number);
    let mut client = Client::new(server, run.began);
    while run.course.asks() {
        let question = member.next_question();
        let answer = client.ask(number, &question, &run.course);
        member.answered((answer.outcome == Outcome::Whole).then_some(answer.text.as_str()));
        let failed = matches!(answer.outcome, Outcome::Failed(_) | Outcome::Refused(_));
        run.keep(answer);
        // A server that is gone must not be asked a thousand times a second.
        let pause = member.pause(think).max(if failed { Duration::from_secs(1) } else { Duration::ZERO });
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
}

/// Questions at random times, on average `rate` in a second, each by a member of its own.
pub(crate) fn open_loop<'scope, 'env: 'scope>(
    scope: &'scope std::thread::Scope<'scope, 'env>,
    run: &'env Run,
    server: &'env Server,
    texts: &'env Texts,
    seed: u64,
    rate: f64,
) {
    let mut clock = Member::new(texts, seed, usize::MAX);
    let mut next = Duration::ZERO;
    for number in 0.. {
        next += clock.pause(Duration::from_secs_f64(1.0 / rate));
        while run.course.asks() && run.began.elapsed() < next {
            std::thread::sleep((next - run.began.elapsed().min(next)).min(Duration::from_millis(200)));
        }
        if !run.course.asks() {
            return;
        }
        scope.spawn(move || {
            let question = Member::new(texts, seed, number).next_question();
            let answer = Client::new(server, run.began).ask(number, &question, &run.course);
            run.keep(answer);
        });
    }
}
