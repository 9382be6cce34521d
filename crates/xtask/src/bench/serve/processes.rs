//! What a server costs: processor time and memory of its process and all below it, from `/proc`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Clock ticks of `/proc/*/stat` in a second; the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// A process and all that descend from it.
#[derive(Clone, Copy)]
pub(crate) struct Tree(pub(crate) u32);

impl Tree {
    pub(crate) fn members(self) -> Vec<u32> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
                && let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok())
            {
                children.entry(parent).or_default().push(pid);
            }
        }
        let (mut all, mut next) = (vec![self.0], 0);
        while let Some(&pid) = all.get(next) {
            all.extend(children.remove(&pid).unwrap_or_default());
            next += 1;
        }
        all
    }

    /// Seconds of processor time so far.
    pub(crate) fn cpu_s(self) -> f64 {
        self.members().into_iter().filter_map(cpu_s).sum()
    }

    /// Resident bytes now, by process.
    pub(crate) fn memory(self) -> Vec<(u32, f64)> {
        self.members().into_iter().filter_map(|pid| Some((pid, memory(pid)?))).collect()
    }
}

/// Seconds of processor time that the whole machine has spent working so far.
pub(crate) fn machine_s() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let fields: Vec<f64> = ticks.filter_map(|field| field.parse().ok()).collect();
    // User, nice, system; then idle and waiting for a disk; then interrupts.
    [0, 1, 2, 5, 6].iter().filter_map(|at| fields.get(*at)).sum::<f64>() / TICKS
}

/// Seconds of this process alone.
pub(crate) fn own_s() -> f64 {
    cpu_s(std::process::id()).unwrap_or(0.0)
}

/// The fields behind the name, which may hold blanks and brackets: state, parent, …
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text[text.rfind(')')? + 1..].split_whitespace().map(str::to_owned).collect())
}

fn cpu_s(pid: u32) -> Option<f64> {
    let fields = stat(pid)?;
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn memory(pid: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0)
}

/// Resident memory over time.
#[derive(Default)]
pub(crate) struct Memory {
    /// Seconds and bytes of all processes together.
    pub(crate) total: Vec<(f64, f64)>,
    /// Seconds and bytes of each process, by what it is called: the last plain word of its command line.
    pub(crate) processes: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Memory {
    /// Watches until `over`.
    pub(crate) fn watch(tree: Tree, began: Instant, over: &AtomicBool) -> Self {
        let (mut memory, mut names) = (Self::default(), HashMap::new());
        while !over.load(Ordering::Relaxed) {
            let at = began.elapsed().as_secs_f64();
            let now = tree.memory();
            memory.total.push((at, now.iter().map(|(_, bytes)| bytes).sum()));
            for (pid, bytes) in now {
                let name = names.entry(pid).or_insert_with(|| name(pid)).clone();
                memory.processes.entry(name).or_default().push((at, bytes));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        memory
    }
}

/// What a process is called beside others of the same program: `banyan … infer` is `infer`.
fn name(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = words.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let workers = ["infer", "node", "run"];
    let worker = words.iter().skip(1).find(|word| workers.contains(&word.as_ref()));
    worker.map_or_else(|| pid.to_string(), |word| word.clone().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_holds_its_children_and_counts_their_work() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let own = Tree(std::process::id());
        assert!(own.members().contains(&child.id()));
        assert!(own.memory().iter().map(|(_, bytes)| bytes).sum::<f64>() > 1e6);
        child.kill().unwrap();
        child.wait().unwrap();
        let before = own.cpu_s();
        let end = Instant::now() + Duration::from_millis(150);
        while Instant::now() < end {
            std::hint::black_box(());
        }
        assert!(own.cpu_s() > before);
    }
}
