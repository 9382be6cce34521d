//! Answers made beside others are as good as those made alone.

use anyhow::Result;

use super::stage::Stage;
use crate::bench::Report;
use crate::pins::CHAT_PACK;
use crate::shell::{root, say};

/// Perplexity may differ by so much, either way, from the same text computed alone.
const PERPLEXITY_WITHIN: f64 = 0.01;
/// Divergence from alone, in nats: what rounding the activations costs anyhow.
const DIVERGENCE: f64 = 0.02;

pub(super) fn measure(stage: &Stage, levels: &[usize], report: &mut Report) -> Result<()> {
    for level in levels {
        say(&format!("A text in {level} rows beside each other, and each alone"));
        let text = root().join("tests/data/human-rights.txt");
        let rows = level.to_string();
        // As many tokens at each level: over a hundred of them the perplexity differs by a per cent by chance.
        let steps = (1600 / level).clamp(16, 128).to_string();
        let text = text.to_string_lossy();
        let score =
            stage.model(&["score", CHAT_PACK, &text, "--rows", &rows, "--steps", &steps, "--json"])?;
        let figure = |key: &str| score[key].as_f64().unwrap_or(f64::NAN);
        let (together, alone) = (figure("perplexity"), figure("perplexity_alone"));
        report.against_lower(&format!("serve.perplexity_{level}"), together, "ppl", "alone", alone);
        report.result(&format!("serve.divergence_{level}"), figure("kl"), "nats");
        report.result(&format!("serve.same_first_{level}"), figure("same_first"), "share");
        report.at_most(
            &format!("serve.perplexity_{level} over alone"),
            (together / alone - 1.0).abs(),
            PERPLEXITY_WITHIN,
        );
        report.at_most(&format!("serve.divergence_{level}"), figure("kl"), DIVERGENCE);
    }
    Ok(())
}
