//! Does what the command asks, in the node or, where no box runs, in the command; and looks after watched folders.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use banyan_identity::SigningKey;
use banyan_knowledge::extract::Limits;
use banyan_knowledge::{
    Audience, Collection, CollectionId, DocumentId, Extract, Extracted, FileOutcome, Hand, Importer, Library,
    LibraryError, Listing, NewCollection, NewImport, Reranker, ZimShelf,
};
use banyan_store::Store;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::wire::{Add, Event, Order, Say};
use super::words;
use crate::extractor::Extractor;

/// Files that were refused, which are told of one by one.
const TOLD: usize = 20;

impl Extract for Extractor {
    fn extract(&self, path: &Path, name: &str) -> Result<Extracted, String> {
        Extractor::extract(self, path, name)
    }
}

/// The library with everything that takes in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    library: Library,
    importer: Importer,
    archives: ZimShelf,
    /// One folder at a time: a small box has little memory and few cores, and others want answers meanwhile.
    turn: Arc<Mutex<()>>,
    stopping: Arc<AtomicBool>,
}

impl Desk {
    /// Of the store of the box with this data folder, whose ledger is signed with this key.
    pub(crate) fn open(
        data: &Path,
        store: Store,
        signs: SigningKey,
        reranker: Option<Arc<dyn Reranker>>,
    ) -> Result<Self, LibraryError> {
        let extract: Arc<dyn Extract> = Arc::new(Extractor::new(Limits::default()));
        let archives = ZimShelf::open(data, store.clone())?;
        let library = Library::open(store)?.signed_by(signs).with_shelf(Arc::new(archives.clone()));
        let library = match reranker {
            Some(reranker) => library.with_reranker(reranker),
            None => library,
        };
        let importer = Importer::new(library.clone(), extract);
        Ok(Self { library, importer, archives, turn: Arc::default(), stopping: Arc::default() })
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    pub(crate) fn importer(&self) -> &Importer {
        &self.importer
    }

    pub(crate) fn archives(&self) -> &ZimShelf {
        &self.archives
    }

    /// Ends what takes long; the next run goes on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Does it; the last event says how it ended.
    pub(crate) async fn perform(&self, order: Order, say: Say) {
        let last = match self.try_perform(order, &say).await {
            Ok(()) => Event::Done,
            Err(error) => Event::Failed(format!("{error:#}")),
        };
        say.event(last).await;
    }

    async fn try_perform(&self, order: Order, say: &Say) -> Result<()> {
        match order {
            Order::New { collection, or_keep } => self.make(collection, or_keep, say).await,
            Order::Add(add) => self.add(add, say).await,
            Order::Collections => {
                let collections = self.library.collections(Audience::Librarians).await?;
                if collections.is_empty() {
                    say.line(words::NO_COLLECTION).await;
                }
                for one in &collections {
                    say.line(words::collection(one)).await;
                }
                let archives = self.wait(|desk| Ok(desk.archives.archives(Audience::Librarians)?)).await?;
                for one in &archives {
                    say.line(words::archive(one)).await;
                }
                Ok(())
            }
            Order::Documents { collection } => self.list(collection, say).await,
            Order::Imports => {
                for import in self.library.imports().await? {
                    say.line(words::import(&import)).await;
                    for line in self.refused(import.id).await? {
                        say.line(line).await;
                    }
                }
                Ok(())
            }
            Order::Unwatch { path } => {
                let known = self.library.imports().await?;
                let path = path.display().to_string();
                let watched: Vec<_> = known.iter().filter(|one| one.watched && one.path == path).collect();
                if watched.is_empty() {
                    say.line(format!("{path} is not watched; `banyan library imports` shows what is.")).await;
                }
                for one in watched {
                    self.library.unwatch(one.id, Hand::Box).await?;
                    say.line(format!("{path} is watched no more; its documents stay.")).await;
                }
                Ok(())
            }
            Order::Withdraw { id, why } => self.withdraw(id, why, say).await,
        }
    }

    async fn make(&self, new: NewCollection, or_keep: bool, say: &Say) -> Result<()> {
        let name = new.name.clone();
        if or_keep && self.named(name.clone()).await.is_ok() {
            say.line(format!("{name} is there already and stays as it is.")).await;
            return Ok(());
        }
        let made = self.library.add_collection(new, Hand::Box, now()).await?;
        say.line(words::made(&made)).await;
        Ok(())
    }

    async fn named(&self, name: String) -> Result<Collection> {
        self.wait(move |desk| Ok(desk.library.collection_named_blocking(&name)?)).await
    }

    async fn add(&self, add: Add, say: &Say) -> Result<()> {
        let collection = self.named(add.collection.clone()).await?.id;
        let _turn = self.turn.lock().await;
        let add = Arc::new(add);
        for path in add.paths.clone() {
            let (add, collection, mut told) = (add.clone(), collection.clone(), say.clone());
            let import = self.wait(move |desk| match banyan_knowledge::is_zim(&path) {
                true => desk.add_archive(&path, &collection, &mut told),
                false => desk.take_in(&path, &add, &collection, &mut told),
            });
            if let Some(import) = import.await? {
                for line in self.refused(import).await? {
                    say.line(line).await;
                }
            }
        }
        Ok(())
    }

    /// Gives the number of the import, of which some files may have been refused.
    fn take_in(
        &self,
        path: &Path,
        add: &Add,
        collection: &CollectionId,
        say: &mut Say,
    ) -> Result<Option<i64>> {
        let new = NewImport {
            watched: add.watch,
            origin: add.origin.clone(),
            attribution: add.attribution.clone(),
            licence: add.licence.clone(),
            language: add.language.clone(),
            ..NewImport::new(path, collection.clone())
        };
        let import = self.library.add_import_blocking(new, &Hand::Box)?;
        let listener = say.clone();
        let stop = || listener.is_alone() || self.is_stopping();
        let done = self.importer.run(import.id, add.retry, &now, &stop, &mut |progress, file| {
            say.progress_blocking(progress.done().into(), progress.total.into(), file);
        })?;
        say.line_blocking(words::import(&done));
        Ok(Some(done.id))
    }

    fn add_archive(&self, path: &Path, collection: &CollectionId, say: &mut Say) -> Result<Option<i64>> {
        let added = self.archives.add(path, collection, &Hand::Box, now())?;
        say.line_blocking(words::archive(&added));
        let listener = say.clone();
        let stop = || listener.is_alone() || self.is_stopping();
        self.archives.build(&added.id, &stop, &mut |progress| {
            say.progress_blocking(progress.done, progress.total, &added.title);
        })?;
        let ready = self.archives.archive(&added.id, Audience::Librarians)?;
        say.line_blocking(words::archive(&ready));
        Ok(None)
    }

    async fn list(&self, collection: String, say: &Say) -> Result<()> {
        let collection = self.named(collection).await?.id;
        let mut listing = Listing { collection: Some(collection), ..Listing::default() };
        loop {
            let documents = self.library.documents(listing.clone(), Audience::Librarians).await?;
            if documents.is_empty() {
                return Ok(());
            }
            listing.skip += u32::try_from(documents.len()).unwrap_or(u32::MAX);
            for document in &documents {
                say.line(words::document(document)).await;
            }
        }
    }

    async fn refused(&self, import: i64) -> Result<Vec<String>> {
        let files = self.library.imported_files(import, true).await?;
        let refused = files.iter().filter(|file| file.outcome == FileOutcome::Refused);
        let mut lines: Vec<String> = refused.take(TOLD).map(words::refused).collect();
        if files.len() > TOLD {
            lines.push(format!("  … and {} more", files.len() - TOLD));
        }
        Ok(lines)
    }

    async fn withdraw(&self, id: String, why: String, say: &Say) -> Result<()> {
        if id.starts_with("z-") {
            let gone = id.clone();
            self.wait(move |desk| Ok(desk.archives.remove(&gone, &Hand::Box, now())?)).await?;
            say.line(format!("{id} is taken out of the library; its file stays where it is.")).await;
            return Ok(());
        }
        let document: DocumentId = id.parse()?;
        let trace = self.library.withdraw(document, why, Hand::Box, now()).await?;
        say.line(format!("{} is withdrawn: nobody finds or reads it any more.", trace.document)).await;
        Ok(())
    }

    /// Looks into every watched folder once. One that cannot be looked at now (a stick that was taken out) is looked at the
    /// next time; the reasons are given back.
    pub(crate) async fn look_around(&self) -> Vec<String> {
        // Somebody takes in by hand; the next look comes soon.
        let Ok(_turn) = self.turn.try_lock() else { return Vec::new() };
        let imports = match self.library.imports().await {
            Ok(imports) => imports,
            Err(error) => return vec![error.to_string()],
        };
        let mut reasons = Vec::new();
        for import in imports.into_iter().filter(|import| import.watched) {
            let run = self.wait(move |desk| {
                let stop = || desk.is_stopping();
                Ok(desk.importer.run(import.id, false, &now, &stop, &mut |_, _| ())?)
            });
            reasons.extend(run.await.err().map(|error| format!("{error:#}")));
        }
        reasons
    }

    /// Work that waits for the disk, where waiting is allowed.
    async fn wait<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let desk = self.clone();
        tokio::task::spawn_blocking(move || work(&desk)).await.context("the library met a mistake of ours")?
    }
}

fn now() -> i64 {
    Timestamp::now().as_second()
}
