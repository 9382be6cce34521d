//! `cargo xtask lab engines`: a box whose portal has two engines, its own and llama.cpp's server with the same model.
//!
//! First members ask at two thirds of what both can take, and the questions under way are counted: each engine should
//! have its share. Then, in rounds, everybody asks at once, llama.cpp's server is killed while it reads their prompts, and
//! started again: nobody who had not read a word may lose the answer, and the server has to be used again soon.

mod two;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::two::{NAME, OTHER_SLOTS, OWN_SLOTS, Two};
use crate::bench::Report;
use crate::bench::serve::client::{Answer, Outcome};
use crate::bench::serve::members::{Run, closed_loop};
use crate::shell::{note, say};

/// Of the questions under way, llama.cpp's part may differ from its part of the places by a fifth of that.
const TOLERANCE: f64 = 0.2;
/// How long an engine that is back may be without work while people wait: the longest between two looks, and a little.
const BACK_WITHIN_S: f64 = 6.0;
/// The server is away for so long in each round: some looks find nobody.
const AWAY: Duration = Duration::from_secs(5);
/// Between two looks at the box from outside.
const LOOK: Duration = Duration::from_millis(100);
/// Answers under way get so long to end.
const DRAIN: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds in which the load is watched
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many times the server is killed
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// A `banyan` that is built already
    #[arg(long, value_name = "FILE")]
    banyan: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let mut two = Two::start(args.banyan.as_deref())?;
    let mut report = Report::default();

    let members = (OWN_SLOTS + OTHER_SLOTS) * 2 / 3;
    say(&format!("{members} members for {} s", args.seconds));
    let share = share(&two, members, args)?;
    let wanted = OTHER_SLOTS as f64 / (OWN_SLOTS + OTHER_SLOTS) as f64;
    note(&format!("llama.cpp's server has {wanted:.2} of the places"));
    report.result("engines.share", share, "of_the_load");
    report.at_least("engines.share", share, wanted * (1.0 - TOLERANCE));
    report.at_most("engines.share", share, wanted * (1.0 + TOLERANCE));

    let mut rounds = Vec::new();
    for number in 1..=args.rounds {
        say(&format!("llama.cpp's server is killed while it reads prompts, {number} of {}", args.rounds));
        let round = kill_and_start(&mut two, args.seed + u64::from(number))?;
        note(&format!(
            "{} whole, {} broken off after their first word, {} asked of the box instead, {} lost; back after \
             {:.1} s, with all its places after {:.1} s",
            round.whole, round.cut, round.moved, round.lost, round.back_s, round.trusted_s
        ));
        rounds.push(round);
    }
    if rounds.iter().all(|round| round.moved == 0) {
        bail!("whenever the server was killed, all its questions had their first word; nothing was shown");
    }
    let lost: usize = rounds.iter().map(|round| round.lost).sum();
    report.result("engines.lost_before_first_token", lost as f64, "answers");
    report.at_most("engines.lost_before_first_token", lost as f64, 0.0);
    let back_s = rounds.iter().map(|round| round.back_s).fold(f64::NAN, f64::max);
    report.result("engines.back_s", back_s, "s");
    report.at_most("engines.back_s", back_s, BACK_WITHIN_S);
    report.finish()
}

/// llama.cpp's part of the questions under way, on average.
fn share(two: &Two, members: usize, args: &Args) -> Result<f64> {
    let run = Run::new();
    let mut looks = Vec::new();
    let watched: Result<()> = std::thread::scope(|scope| {
        for number in 0..members {
            let run = &run;
            scope.spawn(move || {
                closed_loop(run, two.server(), two.texts(), args.seed, number, Duration::ZERO);
            });
        }
        let watched = (|| {
            while run.course.served() < members && run.began.elapsed() < DRAIN {
                std::thread::sleep(LOOK);
            }
            let until = Instant::now() + Duration::from_secs(args.seconds);
            while Instant::now() < until {
                let (own, other) = two.under_way()?;
                looks.push((own as f64, other as f64));
                std::thread::sleep(LOOK);
            }
            Ok(())
        })();
        run.course.end();
        watched
    });
    watched?;
    let failed = run.answers().into_iter().find(|answer| matches!(answer.outcome, Outcome::Failed(_)));
    if let Some(Answer { outcome: Outcome::Failed(said), .. }) = failed {
        bail!("an answer failed while both engines were well: {said}");
    }
    let (own, other) = looks.iter().fold((0.0, 0.0), |sum, look| (sum.0 + look.0, sum.1 + look.1));
    Ok(other / (own + other))
}

/// What one round showed.
#[derive(Default)]
struct Round {
    whole: usize,
    /// Failed after their first word, as they should: nobody says it anew.
    cut: usize,
    /// In llama.cpp's server without a word when it was killed.
    moved: usize,
    /// Failed before their first word.
    lost: usize,
    /// From the first good answer of the server's health page until it has a question again.
    back_s: f64,
    /// The same until it has more than the one on trial: that one's prompt was read, by a server that starts cold.
    trusted_s: f64,
}

fn kill_and_start(two: &mut Two, seed: u64) -> Result<Round> {
    two.wait_until("both engines are ready", |engines| {
        engines.iter().all(|engine| engine["state"] == "ready")
    })?;
    let run = Run::new();
    let mut under_way = 0;
    let (server, texts) = (two.server().clone(), two.texts().clone());
    let times: Result<(f64, f64)> = std::thread::scope(|scope| {
        // As many as fit: what the box takes over has to wait for room there.
        for number in 0..OWN_SLOTS + OTHER_SLOTS {
            let (run, server, texts) = (&run, &server, &texts);
            scope.spawn(move || closed_loop(run, server, texts, seed, number, Duration::ZERO));
        }
        let times = (|| {
            let before =
                two.wait_until("the server is full", |engines| engines[1]["in_flight"] == OTHER_SLOTS)?;
            under_way = before[1]["in_flight"].as_u64().context("a number of questions")? as usize;
            two.kill_other();
            two.wait_until("the box noticed", |engines| engines[1]["state"] == "away")?;
            std::thread::sleep(AWAY);
            two.start_other()?;
            let started = Instant::now();
            two.wait_until("the server has a question again", |engines| {
                engines[1]["in_flight"].as_u64() > Some(0)
            })?;
            let back_s = started.elapsed().as_secs_f64();
            two.wait_until("the server has work again", |engines| {
                engines[1]["state"] == "ready" && engines[1]["in_flight"].as_u64() > Some(1)
            })?;
            Ok((back_s, started.elapsed().as_secs_f64()))
        })();
        run.course.drain();
        let last = Instant::now() + DRAIN;
        while run.course.asking() > 0 && Instant::now() < last {
            std::thread::sleep(LOOK);
        }
        run.course.end();
        times
    });
    let (back_s, trusted_s) = times?;
    let mut round = Round { back_s, trusted_s, ..Round::default() };
    for answer in run.answers() {
        match &answer.outcome {
            Outcome::Whole => round.whole += 1,
            Outcome::Failed(_) | Outcome::Refused(_) if !answer.pieces.is_empty() => round.cut += 1,
            Outcome::Failed(said) | Outcome::Refused(said) => {
                note(&format!("lost before the first word: {said}"));
                round.lost += 1;
            }
            Outcome::HungUp => round.lost += usize::from(answer.pieces.is_empty()),
        }
    }
    round.moved = under_way.saturating_sub(round.cut);
    note(&format!("{NAME}: {under_way} questions under way when it was killed"));
    Ok(round)
}
