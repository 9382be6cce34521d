//! `banyan backup` and `banyan restore`: a community in one encrypted file, and back.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use banyan_store::{Activity, KeySource, Progress};
use indicatif::ProgressBar;

use crate::model::bar;
use crate::node;
use crate::paths::Paths;
use crate::supervisor::lock;

const BACKUP_HELP: &str = "\
The file is encrypted. It is opened by the store key of this box, which the stewards' shares rebuild, and by the
passphrase if you give one. The box may go on running. Models are not in it: they can be had again.

Examples:
  banyan backup /media/stick/hall.banyan
  banyan backup /media/stick/hall.banyan --passphrase-file ~/words.txt";

const RESTORE_HELP: &str = "\
Everything is verified before anything is replaced, and what was there is kept in a folder `before-restore-…`.
On a new board, give the passphrase of the backup, or rebuild the store key first with `banyan recover`.

Examples:
  banyan restore /media/stick/hall.banyan
  banyan restore /media/stick/hall.banyan --passphrase-file ~/words.txt --replace";

#[derive(Debug, clap::Args)]
#[command(after_help = BACKUP_HELP)]
pub(crate) struct BackupArgs {
    /// Where to write it
    file: PathBuf,
    /// A file with a passphrase that shall open it too, besides the store key
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Take the place of a file that is there
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = RESTORE_HELP)]
pub(crate) struct RestoreArgs {
    /// A file that `banyan backup` wrote
    #[arg(required_unless_present = "finish")]
    file: Option<PathBuf>,
    /// A file with the passphrase that was given to `banyan backup`
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Take the place of the community that is on this box; it is kept in a folder beside
    #[arg(long)]
    replace: bool,
    /// Complete a restore that was cut off by a power failure
    #[arg(long, conflicts_with = "file")]
    finish: bool,
}

pub(crate) fn backup(paths: &Paths, args: &BackupArgs) -> Result<()> {
    let passphrase = args.passphrase_file.as_deref().map(passphrase).transpose()?;
    let key = KeySource::of_box(&paths.data).load()?;
    let shown = bar();
    let done = banyan_store::backup(
        &paths.data,
        &key,
        &args.file,
        passphrase.as_deref(),
        args.replace,
        &mut |progress| {
            show(&shown, progress);
        },
    )?;
    shown.finish_and_clear();
    println!(
        "{} holds the community: {} MB, read again and found whole.",
        args.file.display(),
        megabytes(done.bytes)
    );
    println!(
        "  It is opened by this box's store key{}. Keep it away from the box.",
        if passphrase.is_some() { " or by the passphrase" } else { ", which the stewards' shares rebuild" }
    );
    Ok(())
}

pub(crate) fn restore(paths: &Paths, args: &RestoreArgs) -> Result<()> {
    paths.prepare()?;
    let _alone = lock::take(&paths.run_dir, &paths.data)
        .context("a community is put back only while the box is stopped")?;
    let cut_off = banyan_store::finish_restore(&paths.data)?;
    if let Some(before) = &cut_off {
        println!(
            "A restore that was cut off is completed. What was there before is in {}.",
            before.display()
        );
    }
    let Some(file) = &args.file else {
        if cut_off.is_none() {
            println!("No restore was cut off.");
        }
        return Ok(());
    };
    let passphrase = args.passphrase_file.as_deref().map(passphrase).transpose()?;
    let shown = bar();
    let rooms = node::rooms();
    let restored = banyan_store::restore(
        &paths.data,
        file,
        passphrase.as_deref(),
        &rooms,
        args.replace,
        &mut |progress| show(&shown, progress),
    )?;
    shown.finish_and_clear();
    println!("The community of {} is on this box: verified, then put in place.", file.display());
    if let Some(before) = restored.before {
        println!("  What was there before is in {}; delete it when you miss nothing.", before.display());
    }
    println!("  Start the box with: banyan run");
    Ok(())
}

/// The first line of a file: editors put a line break at its end.
fn passphrase(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => bail!("{} holds no passphrase; write it into the first line", path.display()),
    }
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_message(match progress.activity {
        Activity::Writing => "writing",
        Activity::Checking => "reading it again",
        Activity::Reading => "reading",
        Activity::Verifying => "verifying",
    });
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
