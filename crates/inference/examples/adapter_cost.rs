//! What adapters cost: tokens a CPU second of a batch of eight, beside the base model in the same run.
//!
//! `BANYAN_ORT_LIB=… cargo run --release -p banyan-inference --example adapter_cost -- MODEL.gguf [RANK]`
//!
//! The adapters are random, as speed does not depend on what they say. Rounds of all cases take turns, and each figure is
//! the middle one, so that another process on the machine meets all of them alike.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that a developer runs and reads")]

use banyan_inference::adapters::Adapters;
use banyan_inference::forward::{DecodeInput, Forward as _, LogitsWanted};
use banyan_inference::kv::{Element, KvLayout, KvPlan};
use banyan_inference::models::memory::resident;
use banyan_inference::runner::lora::LoraSource;
use banyan_inference::runner::{OrtRunner, RunnerOptions};
use banyan_modelpack::adapter::{AdapterOptions, Projection, import as import_adapter};
use banyan_modelpack::graph::Variant;
use banyan_modelpack::manifest::Architecture;
use banyan_modelpack::{Adapter, AdapterStore, ImportOptions, Pack, Store, import};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::{Map, Value, json};
use std::path::Path;

const ROWS: usize = 8;
const PAST: usize = 256;
const STEPS: usize = 12;
const ROUNDS: usize = 9;
const QV: [Projection; 2] = [Projection::Query, Projection::Value];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next().expect("the model's GGUF file");
    let rank = arguments.next().map_or(8, |rank| rank.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().join("models"));
    let pack = import(source.as_ref(), &store, &ImportOptions::default(), &mut |_| ()).unwrap();
    for (what, projections) in [("q, v", &QV[..]), ("all maps", &Projection::ALL[..])] {
        measure(dir.path(), &pack, what, projections, rank);
    }
}

fn measure(dir: &Path, pack: &Pack, what: &str, projections: &[Projection], rank: usize) {
    let (mut runner, adapters) = open(pack);
    for slot in 0..ROWS {
        let prompt: Vec<u32> = (0..PAST as u32).map(|i| (i * 7919 + slot as u32) % 20_000).collect();
        runner.prefill(slot, 0, &prompt, 0, LogitsWanted::None).unwrap();
    }
    let decode = |runner: &mut OrtRunner, ids: [u32; ROWS]| {
        let rows: Vec<_> =
            ids.iter().map(|id| Some(DecodeInput { token: 17, past: PAST, adapter: *id })).collect();
        let before = cpu();
        for _ in 0..STEPS {
            runner.decode(&rows).unwrap();
        }
        (ROWS * STEPS) as f64 / (cpu() - before)
    };
    decode(&mut runner, [0; ROWS]);
    let memory = resident();
    let mut ids = Vec::new();
    for n in 0..4 {
        let adapter = random(dir, pack, &format!("{n}-{}-{}", rank, projections.len()), projections, rank);
        adapters.load(&adapter).unwrap();
        ids.push(adapters.lease(&adapter.manifest().name).unwrap());
        if n == 0 {
            decode(&mut runner, [ids[0].id(); ROWS]);
            println!("{what}, rank {rank}: the second session takes {} MiB", (resident() - memory) >> 20);
        }
    }
    let id = |i: usize| ids[i].id();
    let cases = [
        ("no row has one", [0; ROWS]),
        ("one row of eight has one", [0, 0, 0, 0, 0, 0, 0, id(0)]),
        ("all rows have the same one", [id(0); ROWS]),
        ("four adapters, two rows each", [0, 0, 1, 1, 2, 2, 3, 3].map(id)),
    ];
    let mut rates = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, ids), rates) in cases.iter().zip(&mut rates) {
            rates.push(decode(&mut runner, *ids));
        }
    }
    let middle = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let base = middle(&mut rates[0]);
    println!("{what}, rank {rank}: {} KiB a table of four", adapters.bytes() >> 10);
    for ((name, _), rates) in cases.iter().zip(&mut rates) {
        let rate = middle(rates);
        println!("  {name:<30} {rate:>7.1} tokens a CPU second ({:+.1} %)", (rate / base - 1.0) * 100.0);
    }
}

fn open(pack: &Pack) -> (OrtRunner, Adapters) {
    let library = std::env::var_os("BANYAN_ORT_LIB").expect("BANYAN_ORT_LIB is ONNX Runtime's library");
    let environment = banyan_inference::runtime::load(library.as_ref()).unwrap();
    let a = &pack.manifest().architecture;
    let (layers, kv_heads, head_dim) = (a.layers, a.kv_heads, a.head_dim);
    let layout =
        KvLayout { layers, kv_heads, head_dim, slots: ROWS, capacity: 2 * PAST, element: Element::F32 };
    let options = RunnerOptions {
        provider: "cpu".into(),
        threads: 1,
        spin: false,
        plan: KvPlan::exact(layout),
        scales: None,
        device_slab: false,
        vocab: a.vocab,
        scored: 1,
    };
    let name = pack.manifest().name.clone();
    let runner = OrtRunner::open(&environment, &name, &pack.graph_path(), &options).unwrap();
    let source = LoraSource {
        environment,
        model: name,
        graph: pack.variant_path(Variant::LORA).unwrap(),
        provider: "cpu".into(),
        threads: 1,
        spin: false,
        layers,
        element: Element::F32,
    };
    let adapters = Adapters::new(pack.manifest().clone(), source, runner.lora_place(), 4 << 30);
    (runner, adapters)
}

/// Processor time of this process, in seconds.
fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
}

/// An adapter of random small numbers, by way of PEFT's form.
fn random(dir: &Path, pack: &Pack, name: &str, projections: &[Projection], rank: usize) -> Adapter {
    let folder = dir.join("peft").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let config = json!({"peft_type": "LORA", "r": rank, "lora_alpha": rank});
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
    let sizes = &pack.manifest().architecture;
    std::fs::write(folder.join("adapter_model.safetensors"), tensors(sizes, projections, rank)).unwrap();
    let store = AdapterStore::new(dir.join("adapters"));
    import_adapter(&folder, pack, &store, &AdapterOptions::default()).unwrap()
}

fn tensors(sizes: &Architecture, projections: &[Projection], rank: usize) -> Vec<u8> {
    let (mut header, mut data) = (Map::new(), Vec::new());
    for layer in 0..sizes.layers {
        for projection in projections {
            let module = match projection {
                Projection::Query => "self_attn.q_proj",
                Projection::Key => "self_attn.k_proj",
                Projection::Value => "self_attn.v_proj",
                Projection::Output => "self_attn.o_proj",
                Projection::Gate => "mlp.gate_proj",
                Projection::Up => "mlp.up_proj",
                Projection::Down => "mlp.down_proj",
            };
            let shapes = [("A", [rank, projection.inputs(sizes)]), ("B", [projection.outputs(sizes), rank])];
            for (factor, shape) in shapes {
                let begin = data.len();
                for i in 0..shape[0] * shape[1] {
                    data.extend((((i * 7919) % 101) as f32 * 1e-4 - 5e-3).to_le_bytes());
                }
                let name = format!("base_model.model.model.layers.{layer}.{module}.lora_{factor}.weight");
                let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
                header.insert(name, entry);
            }
        }
    }
    let header = Value::from(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}
