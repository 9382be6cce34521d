//! The model at work: members who ask one question after another through the door for programs.

use std::time::Duration;

use anyhow::Result;

use crate::bench::serve::client::{Server, Wire};
use crate::bench::serve::figures::Window;
use crate::bench::serve::members::{Run, closed_loop};
use crate::bench::serve::workload::Texts;
use crate::running_box::RunningBox;
use crate::shell::note;

/// A box that has not said its first word by then is not slow but broken.
const FIRST_WORDS: Duration = Duration::from_secs(120);

/// Measures something while so many members are being answered. Says how fast that went on.
pub(super) fn beside<T>(
    running: &RunningBox,
    members: usize,
    measure: impl FnOnce() -> Result<T>,
) -> Result<T> {
    if members == 0 {
        return measure();
    }
    let (texts, run) = (Texts::read()?, Run::new());
    let server = Server {
        base: running.address().to_owned(),
        key: Some(running.add_key("bench")?),
        wire: Wire::OpenAi,
    };
    let (measured, from, to) = std::thread::scope(|scope| {
        for number in 0..members {
            let (run, server, texts) = (&run, &server, &texts);
            scope.spawn(move || closed_loop(run, server, texts, 1, number, Duration::ZERO));
        }
        while run.course.served() < members && run.began.elapsed() < FIRST_WORDS {
            std::thread::sleep(Duration::from_millis(100));
        }
        let from = run.now();
        let measured = measure();
        let to = run.now();
        run.course.end();
        (measured, from, to)
    });
    let window = Window::of(&run.answers(), from, to, members);
    note(&format!("meanwhile the model generated {:.0} tokens a second", window.per_second()));
    if window.tokens == 0.0 {
        anyhow::bail!("the model generated nothing: {:?}", window.failed.first());
    }
    measured
}
