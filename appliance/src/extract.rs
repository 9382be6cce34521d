//! The worker that takes the words out of one file: the file is its standard input, the words go to its standard output.
//!
//! It is one process for one file. It parses what strangers made, so it gives up its rights before it looks further
//! than the first bytes, and never gets them back; the node starts it ([`crate::extractor`]) and believes nothing of
//! what it says but the text.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use banyan_knowledge::Extracted;
use banyan_knowledge::extract::{ExtractError, Format, Limits, extract, extract_scanned, ocr_places};
use serde::{Deserialize, Serialize};

use crate::extractor::Extractor;
use crate::rights::{self, Rights};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show how the library would read this file
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// What the file on standard input is called
    #[arg(long, default_value = "", conflicts_with = "file")]
    name: String,
    /// Read the words in the pictures of a PDF that has no others
    #[arg(long, conflicts_with = "file")]
    scanned: bool,
    #[command(flatten)]
    bounds: Bounds,
}

/// The limits that are not the defaults.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Bounds {
    /// Bytes of memory
    #[arg(long, default_value_t = Limits::default().memory)]
    memory: u64,
    /// Milliseconds
    #[arg(long, default_value_t = 120_000)]
    time: u64,
    /// Bytes of the file
    #[arg(long, default_value_t = Limits::default().input)]
    input: u64,
    /// Bytes that an archive unpacks to
    #[arg(long, default_value_t = Limits::default().expanded)]
    expanded: u64,
    /// Bytes of text
    #[arg(long, default_value_t = Limits::default().text)]
    text: u64,
}

impl Bounds {
    fn limits(&self) -> Limits {
        Limits {
            memory: self.memory,
            time: Duration::from_millis(self.time),
            input: self.input,
            expanded: self.expanded,
            text: self.text,
            ..Limits::default()
        }
    }

    /// The same as words on a command line.
    pub(crate) fn arguments(limits: &Limits) -> Vec<String> {
        [
            ("memory", limits.memory),
            ("time", u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX)),
            ("input", limits.input),
            ("expanded", limits.expanded),
            ("text", limits.text),
        ]
        .into_iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
    }
}

/// What the worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Read(Extracted),
    /// It is a PDF without words: there may be some in its pictures, for which a worker needs other rights.
    Scanned,
    /// Why not, for a librarian.
    Refused(String),
}

pub(crate) fn command(args: &Args) -> Result<()> {
    match &args.file {
        Some(file) => show(file, args.bounds.limits()),
        None => work(args, &args.bounds.limits()),
    }
}

/// For a steward who wants to know how the box reads a file.
fn show(file: &std::path::Path, limits: Limits) -> Result<()> {
    let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let read = Extractor::new(limits)
        .extract(file, &name)
        .map_err(|reason| anyhow::anyhow!("{}: {reason}", file.display()))?;
    let mut out = std::io::stdout().lock();
    for warning in &read.warnings {
        eprintln!("note: {warning}");
    }
    for block in &read.blocks {
        writeln!(out, "{}\n", block.text)?;
    }
    Ok(())
}

fn work(args: &Args, limits: &Limits) -> Result<()> {
    rights::bound(limits.memory, limits.time)?;
    // What libraries print must not get between the words.
    let answers = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let nowhere = File::options().write(true).open("/dev/null").context("/dev/null could not be opened")?;
    nix::unistd::dup2_stdout(&nowhere)?;
    let mut file = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let answer = match catch_unwind(AssertUnwindSafe(|| read(&mut file, args, limits))) {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => Answer::Refused(format!("{refusal:#}")),
        Err(_) => Answer::Refused(FELL.into()),
    };
    let mut answers = BufWriter::new(answers);
    serde_json::to_writer(&mut answers, &answer)?;
    answers.flush()?;
    Ok(())
}

/// What is said when a parser fell over a file.
pub(crate) const FELL: &str = "this file is damaged in a way that its reader could not bear; open it in the program it was made with, and save it anew";

fn read(file: &mut File, args: &Args, limits: &Limits) -> Result<Answer> {
    let mut head = Vec::new();
    Read::take(&mut *file, 4096).read_to_end(&mut head).map_err(ExtractError::from)?;
    file.seek(SeekFrom::Start(0)).map_err(ExtractError::from)?;
    let format = Format::sniff(&head, &args.name)?;
    let (rights, places) = match format {
        Format::Image => (Rights::Pictures, ocr_places()),
        Format::Pdf if args.scanned => (Rights::Pictures, ocr_places()),
        _ => (Rights::Nothing, &[][..]),
    };
    // Before a parser sees it.
    rights::give_up(rights, places).context("this process could not give up its rights")?;
    let read = if args.scanned && format == Format::Pdf {
        extract_scanned(file, limits)
    } else {
        extract(format, file, limits)
    };
    match read {
        Err(ExtractError::NoWords(Format::Pdf)) if !args.scanned => Ok(Answer::Scanned),
        read => Ok(Answer::Read(read?)),
    }
}
