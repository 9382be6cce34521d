//! What a policy of some 500 tokens costs the first member, and what it costs all others.

use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::json;

use super::client::{Client, Course, Outcome};
use super::figures::median;
use super::stage::{CONTEXT, Stage};
use super::workload::Question;
use crate::bench::Report;
use crate::shell::{note, say};

/// Times that each kind is asked.
const TURNS: usize = 15;
/// The policy costs at least this many times less once it is computed.
const SPEEDUP: f64 = 10.0;
/// Below what a clock can tell from nothing, in seconds.
const NOTHING: f64 = 0.001;

pub(super) fn measure(stage: &Stage, report: &mut Report) -> Result<()> {
    let running = stage.own(8, CONTEXT)?;
    say("A short question: without the policy, with the policy as everybody has it, with one never seen");
    let mut rng = fastrand::Rng::with_seed(stage.seed);
    let mut client = Client::new(&running.server, Instant::now());
    let mut ask = |policy: Option<&str>, number: usize| -> Result<(f64, f64, usize)> {
        let mut messages = Vec::new();
        messages.extend(policy.map(|policy| json!({"role": "system", "content": policy})));
        // Another question each time, of the same length.
        messages.push(
            json!({"role": "user", "content": format!("What is {} and {number}?", 100 + rng.u32(..900))}),
        );
        let question = Question { messages, max_tokens: 1, seed: 1 };
        let cpu = running.tree.cpu_s();
        let answer = client.ask(0, &question, &Course::default());
        if answer.outcome != Outcome::Whole {
            bail!("a question was not answered: {:?}", answer.outcome);
        }
        // An end at once has no text; its end is when its first token was there.
        let first = answer.first_token_s().unwrap_or(answer.ended - answer.asked);
        Ok((first, running.tree.cpu_s() - cpu, answer.prompt_tokens))
    };
    // The warm-up is what makes the shared policy known.
    ask(Some(&stage.texts.policy), 0)?;
    let (mut without, mut shared, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        without.push(ask(Some(""), turn)?);
        shared.push(ask(Some(&stage.texts.policy), turn)?);
        let never_seen = format!("{} is the number of this edition. {}", 1000 + turn, stage.texts.policy);
        fresh.push(ask(Some(&never_seen), turn)?);
    }
    let seconds = |kind: &[(f64, f64, usize)]| median(&kind.iter().map(|one| one.0).collect::<Vec<_>>());
    let cpu = |kind: &[(f64, f64, usize)]| kind.iter().map(|one| one.1).sum::<f64>() / kind.len() as f64;
    let tokens = shared[0].2.saturating_sub(without[0].2);
    note(&format!(
        "first token: {:.3} s without, {:.3} s with the shared policy of {tokens} tokens, {:.3} s with a new one",
        seconds(&without),
        seconds(&shared),
        seconds(&fresh)
    ));
    let (cost, first_cost) = (seconds(&shared) - seconds(&without), seconds(&fresh) - seconds(&without));
    let speedup = first_cost / cost.max(NOTHING);
    report.result("serve.policy_uncached", first_cost, "s");
    report.result("serve.policy_cached", cost.max(NOTHING), "s");
    report.result("serve.prefix_speedup", speedup, "x");
    let (cpu_cost, cpu_first) = (cpu(&shared) - cpu(&without), cpu(&fresh) - cpu(&without));
    report.result("serve.prefix_speedup.cpu", cpu_first / cpu_cost.max(NOTHING), "x");
    report.at_least("serve.prefix_speedup", speedup, SPEEDUP);
    Ok(())
}
