//! What a server costs: processor time and memory of its process and all below it, from `/proc`.

use std::collections::HashMap;
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

    /// Resident bytes now.
    pub(crate) fn memory(self) -> f64 {
        self.members().into_iter().filter_map(memory).sum()
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

/// Memory over time, as pairs of seconds and bytes, taken until `over`.
pub(crate) fn watch_memory(tree: Tree, began: Instant, over: &AtomicBool) -> Vec<(f64, f64)> {
    let mut samples = Vec::new();
    while !over.load(Ordering::Relaxed) {
        samples.push((began.elapsed().as_secs_f64(), tree.memory()));
        std::thread::sleep(Duration::from_secs(1));
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_holds_its_children_and_counts_their_work() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let own = Tree(std::process::id());
        assert!(own.members().contains(&child.id()));
        assert!(own.memory() > 1e6);
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
