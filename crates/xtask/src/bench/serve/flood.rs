//! One member sends long prompts back to back; what do the others notice?

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::client::{Client, Outcome};
use super::figures::{Window, median, percentile};
use super::members::{Run, closed_loop};
use super::stage::Stage;
use super::workload::{Question, Texts};
use crate::bench::Report;
use crate::shell::{note, say};

/// Members beside the one.
const OTHERS: usize = 7;
const THINK: Duration = Duration::from_secs(2);
/// Some 4 000 tokens of our texts.
const LONG: usize = 17_500;
const CONTEXT: usize = 8192;
const RUN_IN: Duration = Duration::from_secs(20);
const MEASURED: Duration = Duration::from_secs(60);
/// Others' time between two tokens grows by no more than this factor.
const SLOWED: f64 = 2.0;
/// Without a flood and with one, in turns.
const ROUNDS: usize = 2;

pub(super) fn measure(stage: &Stage, report: &mut Report) -> Result<()> {
    let running = stage.own(OTHERS + 1, CONTEXT)?;
    let (mut calm, mut flooded, mut prompts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for flood in [false, true] {
            say(&format!(
                "{OTHERS} members{}",
                if flood { " and one with prompts of 4 000 tokens" } else { "" }
            ));
            let run = Run::new();
            let mut window = (0.0, 0.0);
            std::thread::scope(|scope| {
                for number in 0..OTHERS {
                    let (run, server, texts) = (&run, &running.server, &stage.texts);
                    let seed = stage.seed + 100 * round as u64;
                    scope.spawn(move || closed_loop(run, server, texts, seed, number, THINK));
                }
                if flood {
                    let (run, server, texts, seed) = (&run, &running.server, &stage.texts, stage.seed);
                    scope.spawn(move || {
                        let mut client = Client::new(server, run.began);
                        let mut rng = fastrand::Rng::with_seed(seed + round as u64);
                        while run.course.asks() {
                            run.keep(client.ask(OTHERS, &long_question(texts, &mut rng), &run.course));
                        }
                    });
                }
                std::thread::sleep(RUN_IN);
                let from = run.now();
                std::thread::sleep(MEASURED);
                window = (from, run.now());
                run.course.end();
            });
            let (mut others, one): (Vec<_>, Vec<_>) =
                run.answers().into_iter().partition(|answer| answer.member < OTHERS);
            others.retain(|answer| !matches!(answer.outcome, Outcome::Failed(_)));
            let others = Window::of(&others, window.0, window.1, OTHERS);
            note(&others.line());
            if flood {
                let one = Window::of(&one, 0.0, f64::INFINITY, OTHERS + 1);
                note(&format!("{} long prompts answered, {} failed", one.ended, one.failed.len()));
                prompts.push(one.ended as f64);
            }
            if flood { &mut flooded } else { &mut calm }.push(others);
        }
    }
    let mean = |windows: &[Window]| {
        let gaps: Vec<f64> = windows.iter().flat_map(|window| window.gaps.iter().copied()).collect();
        (gaps.iter().sum::<f64>() / gaps.len() as f64, percentile(&gaps, 0.95))
    };
    let ((calm_mean, calm_p95), (mean, p95)) = (mean(&calm), mean(&flooded));
    report.against_lower("serve.flood_gap", mean * 1e3, "ms", "without-flood", calm_mean * 1e3);
    report.against_lower("serve.flood_gap_p95", p95 * 1e3, "ms", "without-flood", calm_p95 * 1e3);
    report.result("serve.flood_slowed", mean / calm_mean, "x");
    report.result("serve.flood_prompts", median(&prompts), "answers");
    report.at_most("serve.flood_slowed", mean / calm_mean, SLOWED);
    report.at_least("serve.flood_prompts", median(&prompts), 1.0);
    Ok(())
}

/// Begins otherwise each time, so that no cache knows it.
fn long_question(texts: &Texts, rng: &mut fastrand::Rng) -> Question {
    let text = format!("Copy {}.\n{}\nSum this up.", rng.u32(..), texts.long_text(LONG, rng));
    Question { messages: vec![json!({"role": "user", "content": text})], max_tokens: 8, seed: rng.u32(..) }
}
