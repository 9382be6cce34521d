//! `banyan model score`: how well a model foresees a text, so that two forms of one model can be compared.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use banyan_inference::batched::{Together, together};
use banyan_inference::{EngineConfig, ScoreOptions, Scorer};
use banyan_modelpack::{Kind, Store};
use serde_json::json;

use crate::paths::Paths;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    name: String,
    /// A text file of at least some hundred words
    text: PathBuf,
    /// Also write the raw scores of every position: 32-bit floats, [tokens, vocabulary]
    #[arg(long)]
    logits: Option<PathBuf>,
    /// Instead: compute the text in so many rows beside each other and each alone, and compare
    #[arg(long, conflicts_with = "logits")]
    rows: Option<usize>,
    /// Tokens of each row that are compared
    #[arg(long, default_value_t = 32, requires = "rows")]
    steps: usize,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn command(paths: &Paths, store: &Store, args: &Args) -> Result<()> {
    let pack = store.open(&args.name)?;
    if pack.manifest().kind != Kind::Decoder {
        bail!("{} makes embeddings; only models that answer are scored", args.name);
    }
    let text = std::fs::read_to_string(&args.text)
        .with_context(|| format!("cannot read {} as text (UTF-8)", args.text.display()))?;
    let ort_library = paths.ort_library()?;
    let threads = EngineConfig::default().resolved_threads();
    if let Some(rows) = args.rows {
        let config = EngineConfig { ort_library, ..EngineConfig::default() };
        let result = together(pack.dir(), &config, &text, rows, args.steps)?;
        print_together(&result, args.json);
        return Ok(());
    }
    let mut scorer =
        Scorer::open(pack.dir(), &ScoreOptions { ort_library: &ort_library, threads, window: 0, kv8: true })?;
    let score = scorer.perplexity(&text)?;
    let tokens = scorer.tokens(&text)?;
    if let Some(path) = &args.logits {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut file = BufWriter::new(file);
        let mut failure = Ok(());
        scorer.each_logits(&tokens, |_, row| {
            for value in row {
                if failure.is_ok() {
                    failure = file.write_all(&value.to_le_bytes());
                }
            }
        })?;
        failure.and_then(|()| file.flush()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        println!("{}", json!({"perplexity": score.perplexity, "foreseen": score.tokens, "tokens": tokens}));
    } else {
        println!(
            "{}: perplexity {:.3} over {} tokens of {}",
            args.name,
            score.perplexity,
            score.tokens,
            args.text.display()
        );
    }
    Ok(())
}

fn print_together(result: &Together, json: bool) {
    if json {
        let result = json!({
            "rows": result.rows,
            "tokens": result.tokens,
            "perplexity_alone": result.perplexity_alone,
            "perplexity": result.perplexity,
            "kl": result.kl,
            "same_first": result.same_first,
        });
        println!("{result}");
    } else {
        println!(
            "{} tokens in {} rows: perplexity {:.3} together, {:.3} alone; divergence {:.5} nats; the likeliest word is \
             the same for {:.1} %",
            result.tokens,
            result.rows,
            result.perplexity,
            result.perplexity_alone,
            result.kl,
            result.same_first * 100.0
        );
    }
}
