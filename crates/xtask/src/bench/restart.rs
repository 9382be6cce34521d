//! `cargo xtask bench restart`: the engine is killed at work, and the box mends itself; how long does that take?

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Report;
use crate::running_box::RunningBox;
use crate::shell::{capture, note, say, target_dir};
use crate::{packs, run, setup, web};

/// Seconds in which the box has to answer again with the starter model; above it members start to press "reload".
const AT_MOST_S: f64 = 15.0;
/// Members who wait for an answer when the engine is killed.
const LOAD: usize = 4;
/// After this the box counts as broken.
const GIVE_UP: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many times the engine is killed; the middle value counts
    #[arg(long, default_value_t = 3)]
    times: usize,
}

pub(crate) fn command(args: &Args) -> Result<()> {
    let ready = setup::for_run()?;
    web::build(&ready.node)?;
    let banyan = run::build_release()?;
    let models = packs::for_tests(&banyan, &ready)?;
    let log = target_dir().join("xtask/bench-restart.log");
    let running = RunningBox::start(&banyan, &models, &ready.ort_lib, &log)?;
    let mut seconds = Vec::new();
    for turn in 1..=args.times {
        say(&format!("kill -9 of the engine under {LOAD} questions, {turn} of {}", args.times));
        let took = kill_and_wait(&running)?.as_secs_f64();
        note(&format!("answering again after {took:.2} s"));
        seconds.push(took);
    }
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN);
    let mut report = Report::default();
    report.result("engine.restart_s", middle, "s");
    report.at_most("engine.restart_s", middle, AT_MOST_S);
    report.finish()
}

/// From the kill to the first word of a new answer, as someone who asks again sees it.
fn kill_and_wait(running: &RunningBox) -> Result<Duration> {
    let mut load: Vec<Child> = (0..LOAD)
        .map(|_| ask(running, "Tell a long story about a tree.", "400").spawn().context("could not ask"))
        .collect::<Result<_>>()?;
    // The load has to be in the engine and not on the way there.
    std::thread::sleep(Duration::from_secs(2));
    let engine = running.pid_of("infer")?.to_string();
    capture(Command::new("kill").args(["-9", &engine]))?;
    let killed = Instant::now();
    let took = loop {
        if ask(running, "Say hello.", "1").status().context("could not ask")?.success() {
            break killed.elapsed();
        }
        if killed.elapsed() > GIVE_UP {
            bail!("the box did not answer within {} s after its engine was killed", GIVE_UP.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    for mut question in load.drain(..) {
        // A question that was under way ends in a clear message and never hangs.
        if question.wait()?.success() {
            note("one question of the load ended before the kill");
        }
    }
    Ok(took)
}

fn ask(running: &RunningBox, question: &str, tokens: &str) -> Command {
    let mut command = running.banyan();
    command.args(["ask", "--max-tokens", tokens, question]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
