//! Beside llama.cpp's server: the same questions at the same level, in turns, all servers up and only one asked.

use std::time::Duration;

use anyhow::Result;

use super::figures::{Window, median, percentile};
use super::stage::{CONTEXT, Form, Running, Stage};
use super::stretch::{Load, Stretch};
use super::{Args, Part};
use crate::bench::Report;
use crate::shell::{note, say};

/// Of llama.cpp's throughput on the same file, and on the fastest 4-bit form that it has.
const SAME_FILE: f64 = 1.4;
const FASTEST: f64 = 1.0;
/// The first token comes in at most this share of llama.cpp's time.
const FIRST_TOKEN: f64 = 0.5;
/// The offered load, as a share of what the slower server carries: both keep up.
const OFFERED: f64 = 0.8;
/// Cores that other programs may keep busy. llama.cpp's threads wait for each other by spinning, so beside other work its
/// processor time counts the waiting too, and the comparison would flatter us.
const OTHERS: f64 = 0.3;
/// A server that does not serve everybody within this is measured as it is.
const RUN_IN: Duration = Duration::from_secs(400);

const PEER: &str = "llama.cpp-server";

struct Side {
    name: &'static str,
    running: Running,
    closed: Vec<Window>,
    open: Vec<Window>,
}

impl Side {
    fn new(name: &'static str, running: Running) -> Side {
        Side { name, running, closed: Vec::new(), open: Vec::new() }
    }

    fn median_of(&self, windows: &[Window], figure: impl Fn(&Window) -> f64) -> f64 {
        median(&windows.iter().map(figure).collect::<Vec<_>>())
    }

    fn closed(&self, figure: impl Fn(&Window) -> f64) -> f64 {
        self.median_of(&self.closed, figure)
    }

    fn open(&self, figure: impl Fn(&Window) -> f64) -> f64 {
        self.median_of(&self.open, figure)
    }
}

pub(super) fn measure(stage: &mut Stage, args: &Args, level: usize, report: &mut Report) -> Result<()> {
    let mut sides = vec![Side::new("banyan", stage.own(level, CONTEXT)?)];
    match stage.with_peer() {
        Ok(()) => {
            sides.push(Side::new(PEER, stage.theirs(Form::SameFile, level)?));
            sides.push(Side::new("llama.cpp-server-q4_0", stage.theirs(Form::Fastest, level)?));
        }
        Err(error) => note(&format!("llama.cpp's server cannot be had here: {error:#}")),
    }
    // Answers take longer the more are made at once; each member should end about one.
    let seconds = args.seconds.max(args.seconds * level as f64 / 33.0);
    let measured = Duration::from_secs_f64(seconds);
    for round in 0..args.rounds {
        for side in &mut sides {
            say(&format!("{level} members, round {} of {}: {}", round + 1, args.rounds, side.name));
            let load = Load::Closed { members: level, think: Duration::ZERO };
            let seed = stage.seed + 1000 * round as u64;
            let stretch =
                Stretch { load, seed, run_in: RUN_IN, settle: Duration::ZERO, measured, drained: false };
            let window = stretch.measure(&side.running.server, Some(side.running.tree), &stage.texts).window;
            note(&window.line());
            side.closed.push(window);
        }
    }
    throughput(&sides, level, report);
    let others = sides.iter().map(|side| side.closed(|w| w.others_s / w.seconds)).fold(0.0, f64::max);
    report.result(&format!("serve.others_{level}"), others, "cores");
    report.at_most(&format!("serve.others_{level}"), others, OTHERS);
    if args.wants(Part::Ttft) {
        // What the slower one carries, by its answers a second, at the length that answers have.
        let tokens = sides[0].closed(|w| w.tokens / w.seconds) / sides[0].closed(Window::answers_per_second);
        let carried = sides.iter().take(2).map(|side| side.closed(Window::per_second) / tokens);
        let rate = OFFERED * carried.fold(f64::INFINITY, f64::min);
        offered(stage, args, level, rate, measured, &mut sides)?;
        first_token(&sides, level, report);
    }
    Ok(())
}

fn throughput(sides: &[Side], level: usize, report: &mut Report) {
    let name = format!("serve.throughput_{level}");
    let Some(own) = sides.first() else { return };
    let failed: usize = sides[0].closed.iter().map(|w| w.failed.len() + w.refused).sum();
    report.at_most(&format!("{name} failures"), failed as f64, 0.0);
    let (cpu, wall) = (own.closed(Window::per_cpu_second), own.closed(Window::per_second));
    let (Some(same), Some(fastest)) = (sides.get(1), sides.get(2)) else {
        report.result(&name, cpu, "tok/cpu-s");
        report.result(&format!("{name}.wall"), wall, "tok/s");
        report.skipped(&format!("{name}_vs_q4_0"), "llama.cpp's server could not be built");
        return;
    };
    for (side, name, limit) in
        [(same, name.clone(), SAME_FILE), (fastest, format!("{name}_vs_q4_0"), FASTEST)]
    {
        let theirs = side.closed(Window::per_cpu_second);
        report.against(&name, cpu, "tok/cpu-s", side.name, theirs);
        report.against(&format!("{name}.wall"), wall, "tok/s", side.name, side.closed(Window::per_second));
        report.at_least(&name, cpu / theirs, limit);
    }
    let gap = |side: &Side| side.closed(|w| percentile(&w.gaps, 0.95));
    report.against_lower(&format!("serve.gap_p95_{level}"), gap(own), "s", same.name, gap(same));
}

/// An open loop against ours and theirs on the same file.
fn offered(
    stage: &Stage,
    args: &Args,
    level: usize,
    rate: f64,
    measured: Duration,
    sides: &mut [Side],
) -> Result<()> {
    for round in 0..args.rounds {
        for side in sides.iter_mut().take(2) {
            say(&format!(
                "{rate:.2} questions a second, {level} at once, round {} of {}: {}",
                round + 1,
                args.rounds,
                side.name
            ));
            let seed = stage.seed + 1000 * round as u64 + 500;
            // Long enough for a twentieth of the questions to be more than one or two.
            let measured = measured.max(Duration::from_secs_f64(40.0 / rate));
            let stretch = Stretch {
                load: Load::Open { rate },
                seed,
                run_in: measured / 4,
                settle: Duration::ZERO,
                measured,
                drained: true,
            };
            let window = stretch.measure(&side.running.server, Some(side.running.tree), &stage.texts).window;
            note(&window.line());
            side.open.push(window);
        }
    }
    Ok(())
}

fn first_token(sides: &[Side], level: usize, report: &mut Report) {
    let name = format!("serve.ttft_p95_{level}");
    let p95 = |side: &Side| side.open(|w| percentile(&w.ttft, 0.95));
    match sides {
        [own, same, ..] => {
            report.against_lower(&name, p95(own), "s", same.name, p95(same));
            report.at_most(&name, p95(own) / p95(same), FIRST_TOKEN);
            let p50 = |side: &Side| side.open(|w| median(&w.ttft));
            report.against_lower(&format!("serve.ttft_p50_{level}"), p50(own), "s", same.name, p50(same));
            let whole = |side: &Side| side.open(|w| percentile(&w.whole_s, 0.95));
            report.against_lower(
                &format!("serve.whole_p95_{level}"),
                whole(own),
                "s",
                same.name,
                whole(same),
            );
        }
        [own] => report.result(&name, p95(own), "s"),
        _ => {}
    }
}
