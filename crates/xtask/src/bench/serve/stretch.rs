//! One measured stretch of load on a server that is warm: members start, the figures are taken once all are served, and
//! everybody hangs up at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::client::Server;
use super::figures::Window;
use super::members::{Run, closed_loop, open_loop};
use super::processes::{Memory, Tree, machine_s, own_s};
use super::workload::Texts;

/// How many ask, and how.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    /// So many members, each with a mean time to think.
    Closed { members: usize, think: Duration },
    /// Questions a second.
    Open { rate: f64 },
}

/// One stretch.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) load: Load,
    pub(crate) seed: u64,
    /// Until every member of a closed loop is served, but no longer than this; an open loop runs in for this long.
    pub(crate) run_in: Duration,
    /// A closed loop runs in for at least this long.
    pub(crate) settle: Duration,
    pub(crate) measured: Duration,
    /// Whether answers under way at the end are heard to theirs.
    pub(crate) drained: bool,
}

/// A server that has not answered by then is over its load.
const DRAIN: Duration = Duration::from_secs(300);

/// What a stretch showed.
pub(crate) struct Measured {
    pub(crate) window: Window,
    /// Over the measured time.
    pub(crate) memory: Memory,
}

impl Stretch {
    pub(crate) fn measure(&self, server: &Server, tree: Option<Tree>, texts: &Texts) -> Measured {
        let run = Run::new();
        let over = AtomicBool::new(false);
        let mut window = (0.0, 0.0, 0.0, 0.0);
        let mut memory = Memory::default();
        let members = match self.load {
            Load::Closed { members, .. } => members,
            Load::Open { .. } => 0,
        };
        std::thread::scope(|scope| {
            match self.load {
                Load::Closed { members, think } => {
                    for number in 0..members {
                        let (run, seed) = (&run, self.seed);
                        scope.spawn(move || closed_loop(run, server, texts, seed, number, think));
                    }
                }
                Load::Open { rate } => {
                    let (run, seed) = (&run, self.seed);
                    scope.spawn(move || open_loop(scope, run, server, texts, seed, rate));
                }
            }
            let settled =
                || members > 0 && run.began.elapsed() >= self.settle && run.course.served() >= members;
            while run.began.elapsed() < self.run_in && !settled() {
                std::thread::sleep(Duration::from_millis(100));
            }
            let watch = tree.map(|tree| {
                scope.spawn({
                    let (over, began) = (&over, run.began);
                    move || Memory::watch(tree, began, over)
                })
            });
            let cpu = || tree.map_or(f64::NAN, Tree::cpu_s);
            let others = || machine_s() - cpu() - own_s();
            let (from, cpu_from, others_from) = (run.now(), cpu(), others());
            std::thread::sleep(self.measured);
            window = (from, run.now(), cpu() - cpu_from, others() - others_from);
            over.store(true, Ordering::Relaxed);
            if self.drained {
                run.course.drain();
                let last = run.began.elapsed() + DRAIN;
                while run.course.asking() > 0 && run.began.elapsed() < last {
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            run.course.end();
            if let Some(samples) = watch.and_then(|watch| watch.join().ok()) {
                memory = samples;
            }
        });
        let (from, to, cpu_s, others_s) = window;
        let mut answers = run.answers();
        for answer in answers.iter_mut().filter(|_| self.drained) {
            answer.count_as_late();
        }
        let mut window = Window::of(&answers, from, to, members);
        window.cpu_s = cpu_s;
        window.others_s = others_s;
        Measured { window, memory }
    }
}
