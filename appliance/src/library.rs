//! `banyan library …`: the community's documents from the command line. A running box does what is asked; where none
//! runs, the command opens the store itself. Words and effects are the same.
//!
//! Nothing here is decided: documents are a librarian's work, and this is theirs who stand before the box. What is
//! withdrawn or taken in leaves an entry in the ledger, with ids and counts only.

mod desk;
mod fetch;
mod wire;
mod words;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use banyan_knowledge::{Audience, Consent, ExportOf, Level, NewCollection, Use};
use banyan_store::{KeySource, Store};
use clap::Subcommand;
use indicatif::ProgressBar;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::desk::Desk;
use self::fetch::{Address, Bounds};
use self::wire::{Add, Event};
pub(crate) use self::wire::{Order, PATH, Say};
use crate::model::bar;
use crate::node;
use crate::paths::Paths;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a collection for documents to stand in
    #[command(
        after_help = "Example:\n  banyan library new \"First aid\" --audience guests --licence CC-BY-4.0"
    )]
    New(NewArgs),
    /// Take in files, folders, ZIM archives or a website, or go on where that was cut off
    #[command(after_help = ADD_HELP)]
    Add(AddArgs),
    /// The collections, or the documents of one
    List {
        /// Only the documents of this collection
        #[arg(long, value_name = "NAME")]
        collection: Option<String>,
    },
    /// The folders and files that were taken in, how far each is, and what was refused
    Imports,
    /// Watch a folder no more; its documents stay
    Unwatch {
        /// The folder
        path: PathBuf,
    },
    /// Take a document out of the library: its text, its index and its file; a trace stays
    #[command(
        after_help = "Example:\n  banyan library withdraw d-0123456789 --why \"the author asked for it\""
    )]
    Withdraw {
        /// The document or archive, as `banyan library list` shows it
        id: String,
        /// The reason, which everybody can read
        #[arg(long, value_name = "WORDS")]
        why: String,
    },
    /// Write everything into a new ZIP file, in open formats
    Export {
        /// Where to; must not exist
        file: PathBuf,
        /// Only what this member gave
        #[arg(long, value_name = "ID")]
        member: Option<String>,
    },
}

const ADD_HELP: &str = "\
Examples:
  banyan library add /media/stick/manuals --collection \"First aid\"
  banyan library add ~/minutes --collection Minutes --watch
  banyan library add wikipedia_sw.zim --collection Wikipedia
  banyan library add https://hall.example/docs/ --collection Hall
  banyan library add davs://amina@cloud.example/remote.php/dav/files/amina/hall --password-file ~/words.txt \\
      --collection Hall";

#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// What it is called
    name: String,
    /// What is in it, in a sentence
    #[arg(long, default_value = "", value_name = "WORDS")]
    about: String,
    /// Who finds it: guests, members or librarians
    #[arg(long, default_value = "members", value_parser = word::<Audience>)]
    audience: Audience,
    /// The licence of its documents, such as CC-BY-SA-4.0
    #[arg(long)]
    licence: String,
    /// Their language, such as en or sw
    #[arg(long)]
    language: Option<String>,
    /// What they may be used for: search, grounding, training, federation, commons; may be given several times
    #[arg(long = "use", value_name = "USE", value_parser = word::<Use>, default_values = ["search", "grounding"])]
    uses: Vec<Use>,
    /// How far they may go: local_only, federation_ok or commons_ok
    #[arg(long, default_value = "local_only", value_parser = word::<Level>)]
    level: Level,
    /// What members give is read at once, without a librarian looking at it first
    #[arg(long)]
    no_review: bool,
    /// Go on when there is one of this name already, and leave it as it is
    #[arg(long)]
    or_keep: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Files, folders, ZIM archives, or the address of a website (https://…) or a WebDAV folder (davs://…)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// The collection in which they are to stand
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Take in what comes into the folder later too
    #[arg(long)]
    watch: bool,
    /// Look again at files that were refused before
    #[arg(long)]
    retry: bool,
    /// How each document is named when it is cited [default: not more than its title]
    #[arg(long, default_value = "", hide_default_value = true, value_name = "WORDS")]
    attribution: String,
    /// The licence of each document [default: the collection's]
    #[arg(long, default_value = "", hide_default_value = true)]
    licence: String,
    /// The language of each document [default: as the files say, else the collection's]
    #[arg(long, default_value = "", hide_default_value = true)]
    language: String,
    /// Pages or files of a website or WebDAV folder at most
    #[arg(long, default_value_t = 2000, value_name = "NUMBER")]
    pages: u32,
    /// A file whose first line is the password for a WebDAV folder
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(crate) async fn command(paths: &Paths, command: Command) -> Result<()> {
    let order = match command {
        Command::New(args) => Order::New {
            or_keep: args.or_keep,
            collection: NewCollection {
                name: args.name,
                about: args.about,
                audience: args.audience,
                consent: Consent { uses: args.uses.into_iter().collect(), level: args.level },
                licence: args.licence,
                language: args.language,
                review: !args.no_review,
            },
        },
        Command::Add(args) => return add(paths, args).await,
        Command::List { collection: None } => Order::Collections,
        Command::List { collection: Some(collection) } => Order::Documents { collection },
        Command::Imports => Order::Imports,
        Command::Unwatch { path } => Order::Unwatch { path: whole(&path) },
        Command::Withdraw { id, why } => Order::Withdraw { id, why },
        Command::Export { file, member } => return export(paths, &file, member).await,
    };
    give(paths, order).await
}

/// What is on other machines is fetched by the command itself: the box opens no connection for it. Then it is a folder.
async fn add(paths: &Paths, args: AddArgs) -> Result<()> {
    let order = |paths: Vec<PathBuf>, origin: String| {
        Order::Add(Add {
            paths,
            origin,
            collection: args.collection.clone(),
            watch: args.watch,
            retry: args.retry,
            attribution: args.attribution.clone(),
            licence: args.licence.clone(),
            language: args.language.clone(),
        })
    };
    let (addresses, files): (Vec<_>, Vec<_>) =
        args.paths.iter().map(|path| Address::parse(path).ok_or(path)).partition(Result::is_ok);
    let files: Vec<PathBuf> =
        files.into_iter().filter_map(Result::err).map(|path| whole(Path::new(path))).collect();
    if args.watch && !addresses.is_empty() {
        bail!("--watch is for folders of the box; to bring a website up to date, run the same command again");
    }
    if !files.is_empty() {
        give(paths, order(files, String::new())).await?;
    }
    let password = args.password_file.as_deref().map(first_line).transpose()?;
    let bounds = Bounds { files: args.pages, ..Bounds::default() };
    for address in addresses.into_iter().flatten() {
        let address = address?;
        paths.prepare()?;
        let shown = bar();
        let fetched = fetch::fetch(
            &address,
            password.as_deref(),
            &paths.data.join("mirrors"),
            &bounds,
            &mut |progress| {
                shown.set_length(progress.known.into());
                shown.set_position(progress.done.into());
                shown.set_message(progress.now.chars().take(28).collect::<String>());
            },
        );
        shown.finish_and_clear();
        let fetched = fetched?;
        for (what, why) in &fetched.left_out {
            println!("  left out: {what}: {why}");
        }
        println!("{address}: {} files were fetched, {} are as they were.", fetched.new, fetched.unchanged);
        give(paths, order(vec![fetched.folder], fetched.origin)).await?;
    }
    Ok(())
}

/// Has it done, by the box where one runs, and says what is heard.
async fn give(paths: &Paths, order: Order) -> Result<()> {
    let mut shown = Shown::default();
    if wire::ask(paths.node_socket(), &order, &mut |event| shown.hear(event)).await? {
        return Ok(());
    }
    let makes = matches!(order, Order::New { .. } | Order::Add(_));
    if makes {
        paths.prepare()?;
    } else if !Store::exists(&paths.data) {
        bail!("{} has no data yet; start the box first: banyan run", paths.data.display());
    }
    let desk = node::library_desk(paths)?;
    let (say, mut heard) = Say::new();
    let doing = tokio::spawn(async move { desk.perform(order, say).await });
    let mut last = None;
    while let Some(event) = heard.recv().await {
        match event {
            Event::Failed(reason) => last = Some(reason),
            event => shown.hear(event),
        }
    }
    doing.await.context("the library met a mistake of ours")?;
    match last {
        Some(reason) => bail!("{reason}"),
        None => Ok(()),
    }
}

/// A bar while something is on its way, and lines.
#[derive(Default)]
struct Shown(Option<ProgressBar>);

impl Shown {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Progress { done, total, now } => {
                let shown = self.0.get_or_insert_with(bar);
                shown.set_length(total);
                shown.set_position(done);
                shown.set_message(now.chars().take(28).collect::<String>());
            }
            Event::Line(line) => {
                if let Some(shown) = self.0.take() {
                    shown.finish_and_clear();
                }
                println!("{line}");
            }
            Event::Done | Event::Failed(_) => {}
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(shown) = self.0.take() {
            shown.finish_and_clear();
        }
    }
}

/// Reads only, so it takes nothing away from a running box.
async fn export(paths: &Paths, file: &Path, member: Option<String>) -> Result<()> {
    if !Store::exists(&paths.data) {
        bail!("{} has no data yet; start the box first: banyan run", paths.data.display());
    }
    let key = KeySource::of_box(&paths.data).load()?;
    let store = Store::open(&paths.data, &key, &node::rooms())?;
    let library = banyan_knowledge::Library::open(store)?;
    let made = File::create_new(file)
        .with_context(|| format!("{} could not be made; is there one already?", file.display()))?;
    let of = member.map_or(ExportOf::Everything, ExportOf::Member);
    let written = tokio::task::spawn_blocking(move || -> Result<_> {
        let mut out = BufWriter::new(made);
        let written = library.export_blocking(&of, &mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(written)
    });
    let written = written.await.context("the export met a mistake of ours")?.inspect_err(|_| {
        // Half an export is none.
        let _ = std::fs::remove_file(file);
    })?;
    println!(
        "{} documents and {} of their files are in {}.",
        written.documents,
        written.originals,
        file.display()
    );
    Ok(())
}

/// A box runs in another folder than the one a path was typed in.
fn whole(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// The first line of a file: editors put a line break at its end.
fn first_line(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => bail!("{} holds no password; write it into the first line", path.display()),
    }
}

/// One of the words that the API uses too.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| error.to_string())
}
