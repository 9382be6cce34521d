//! `banyan model capacity`: how many members machines serve, computed from what runs cost here.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use banyan_inference::capacity::{Costs, Habits, Served, members_served};
use banyan_inference::profile::{StepProfile, step_profile};
use banyan_inference::scheduler::Limits;
use banyan_inference::{BenchOptions, EngineConfig, bench};
use banyan_modelpack::{Kind, Store};

use crate::paths::Paths;
use crate::profile;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The starter model, whose runs are measured here
    name: String,
    /// Seconds in which the first word has to come
    #[arg(long, default_value_t = 5.0)]
    within: f64,
}

/// A member asks once a minute; the policy is that of a small co-operative.
const HABITS: Habits = Habits { think_s: 60.0, policy: 500, question: (20, 400), answer: (24, 160) };

/// The shape of a model with weights in 4 bits.
struct Shape {
    name: &'static str,
    parameters: f64,
    weight_bytes: f64,
    /// Numbers of a token's keys and values.
    kv: f64,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "135M (SmolLM2)", parameters: 0.135e9, weight_bytes: 0.114e9, kv: 30.0 * 2.0 * 3.0 * 64.0 },
    Shape { name: "1B (Llama 3.2)", parameters: 1.24e9, weight_bytes: 0.81e9, kv: 16.0 * 2.0 * 8.0 * 64.0 },
    Shape { name: "3B (Llama 3.2)", parameters: 3.21e9, weight_bytes: 2.0e9, kv: 28.0 * 2.0 * 8.0 * 128.0 },
    Shape { name: "7B (Mistral)", parameters: 7.25e9, weight_bytes: 4.4e9, kv: 32.0 * 2.0 * 8.0 * 128.0 },
];

/// A class of machines.
struct Machine {
    name: &'static str,
    kind: Speed,
    /// Bytes of memory, and whether models may take nearly all of it.
    memory: f64,
    own_memory: bool,
}

enum Speed {
    /// So many times this machine's processor time, with this much of memory's bandwidth (0: this machine's).
    Cores { times: f64, bandwidth: f64 },
    /// Data sheet: bytes a second, and operations a second in 16 bits.
    Card { bandwidth: f64, operations: f64 },
}

const MACHINES: [Machine; 5] = [
    Machine {
        name: "2 cores",
        kind: Speed::Cores { times: 1.0, bandwidth: 0.0 },
        memory: 8e9,
        own_memory: false,
    },
    Machine {
        name: "8 cores",
        kind: Speed::Cores { times: 4.0, bandwidth: 89.6e9 },
        memory: 16e9,
        own_memory: false,
    },
    Machine {
        name: "Orin Nano",
        kind: Speed::Card { bandwidth: 68e9, operations: 10e12 },
        memory: 8e9,
        own_memory: false,
    },
    Machine {
        name: "12 GB GPU",
        kind: Speed::Card { bandwidth: 360e9, operations: 25e12 },
        memory: 12e9,
        own_memory: true,
    },
    Machine {
        name: "24 GB GPU",
        kind: Speed::Card { bandwidth: 936e9, operations: 71e12 },
        memory: 24e9,
        own_memory: true,
    },
];

/// What of a data sheet's figures real runs reach: of the bandwidth, and of the operations.
const BANDWIDTH_REACHED: f64 = 0.7;
const OPERATIONS_REACHED: f64 = 0.4;
/// Starting the nodes of a graph on a card.
const CARD_RUN: f64 = 0.003;

pub(crate) fn command(paths: &Paths, store: &Store, args: &Args) -> Result<()> {
    crate::huge_pages::ensure();
    let pack = store.open(&args.name)?;
    if pack.manifest().kind != Kind::Decoder {
        bail!("{} makes embeddings; only models that answer serve members", args.name);
    }
    let board = profile::load(&paths.profile)?.engine;
    let library = paths.ort_library()?;
    let config = EngineConfig {
        ort_library: library.clone(),
        threads: board.threads,
        spin: board.spin,
        ..EngineConfig::default()
    };
    let step = |rows, past| step_profile(pack.dir(), &config, rows, past, 8);
    let (one, many, long) = (step(1, 300)?, step(32, 300)?, step(32, 900)?);
    let options = BenchOptions {
        ort_library: &library,
        threads: config.resolved_threads(),
        spin: config.spin,
        prompt: 512,
        chunk: config.chunk,
        generate: 2,
        repeats: 3,
    };
    let prompt = bench(pack.dir(), &options)?.prefill;
    let here = measured(&one, &many, &long, prompt.cpu / 512, config.chunk, config.resolved_threads())
        .context("the machine is too busy for a measurement; try again when it is quiet")?;
    println!(
        "Members served with the first token within {} s at the 95th percentile (**computed**), ",
        args.within
    );
    println!("and in brackets the tokens a second of each answer with so many members.");
    println!();
    println!("| model | {} |", MACHINES.map(|machine| machine.name).join(" | "));
    println!("|---|{}", "---|".repeat(MACHINES.len()));
    for shape in &SHAPES {
        let cells = MACHINES.iter().map(|machine| cell(&here, &long, shape, machine, args.within));
        println!("| {} | {} |", shape.name, cells.collect::<Vec<_>>().join(" | "));
    }
    println!();
    println!(
        "Measured here ({} threads, processor time): a run {:.1} ms, a token of an answer {:.2} ms, of a prompt {:.2} ms, a held token {:.2} µs; memory {:.1} GB/s.",
        config.resolved_threads(),
        here.run * 1e3,
        here.token * 1e3,
        here.prompt_token * 1e3,
        here.held * 1e6,
        long.bandwidth / 1e9
    );
    Ok(())
}

/// The costs out of three steps, by their differences; in processor time shared by the threads, which other work on the
/// machine does not disturb.
fn measured(
    one: &StepProfile,
    many: &StepProfile,
    long: &StepProfile,
    prompt: Duration,
    chunk: usize,
    threads: usize,
) -> Option<Costs> {
    let seconds = |time: Duration| time.as_secs_f64() / threads as f64;
    let (one_s, many_s, long_s) = (seconds(one.cpu), seconds(many.cpu), seconds(long.cpu));
    let rows = many.rows as f64;
    let held = (long_s - many_s) / (rows * (long.past - many.past) as f64);
    let token = (many_s - one_s - held * (rows - 1.0) * many.past as f64) / (rows - 1.0);
    let run = one_s - token - held * one.past as f64;
    let costs = Costs {
        run: run.max(one_s / 4.0),
        token,
        prompt_token: (seconds(prompt) - run.max(0.0) / chunk as f64).max(seconds(prompt) / 2.0),
        held,
    };
    (costs.token > 0.0 && costs.held > 0.0).then_some(costs)
}

fn cell(here: &Costs, step: &StepProfile, shape: &Shape, machine: &Machine, within: f64) -> String {
    let starter = &SHAPES[0];
    let (weights, work) = (shape.weight_bytes / starter.weight_bytes, shape.parameters / starter.parameters);
    // Keys and values are kept in 8 bits on processors and in 16 on cards.
    let (costs, kv_bytes, chunk) = match machine.kind {
        Speed::Cores { times, bandwidth } => {
            let faster = if bandwidth == 0.0 { 1.0 } else { bandwidth * BANDWIDTH_REACHED / step.bandwidth };
            let costs = Costs {
                run: here.run * weights / faster,
                token: here.token * work / times,
                prompt_token: here.prompt_token * work / times,
                held: here.held * (shape.kv / starter.kv) / times,
            };
            (costs, shape.kv, 128)
        }
        Speed::Card { bandwidth, operations } => {
            let token = 2.0 * shape.parameters / (operations * OPERATIONS_REACHED);
            let bytes = bandwidth * BANDWIDTH_REACHED;
            let costs = Costs {
                run: CARD_RUN + shape.weight_bytes / bytes,
                token,
                prompt_token: token,
                held: 2.0 * shape.kv / bytes,
            };
            (costs, 2.0 * shape.kv, 512)
        }
    };
    let free = if machine.own_memory {
        machine.memory * 0.9 - shape.weight_bytes
    } else {
        (machine.memory * 0.75 - shape.weight_bytes) / 4.0
    };
    let row_tokens = (free / kv_bytes).max(0.0) as usize;
    let capacity = HABITS.policy + HABITS.question.1 + HABITS.answer.1 + 1;
    if row_tokens < capacity {
        return "does not fit".into();
    }
    let limits = Limits {
        slots: 256,
        capacity,
        row_tokens,
        max_waiting: usize::MAX,
        chunk,
        longest_stall: 400_000,
        compact: true,
    };
    let Served { members, pace, .. } = members_served(&costs, &limits, &HABITS, within);
    if members == 0 { "0".into() } else { format!("{members} ({pace:.0})") }
}
