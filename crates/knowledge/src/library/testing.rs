//! A library for tests: one collection, in a folder of its own.

use banyan_store::{Store, StoreKey};

use super::{CollectionId, Hand, Library, NewCollection};
use crate::consent::{Audience, Consent, Level, Use};
use crate::document::{NewDocument, Original};
use crate::extracted::{Block, BlockKind, Extracted};

/// A library with the collection "Water", which is open to members.
pub(crate) struct Shelf {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) library: Library,
    pub(crate) water: CollectionId,
}

impl Shelf {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = open(folder.path());
        let made =
            library.add_collection(collection("Water", Audience::Members), librarian(), 1).await.unwrap();
        Self { folder, library, water: made.id }
    }

    /// A document of these paragraphs, from a file of this name.
    pub(crate) fn file(&self, name: &str, paragraphs: &[&str]) -> NewDocument {
        let mut new = NewDocument::new(self.water.clone(), name, words(paragraphs));
        new.original = Some(Original::new(name, paragraphs.join("\n").into_bytes()));
        new
    }

    /// How many rows a table has.
    pub(crate) fn rows(&self, table: &'static str) -> i64 {
        self.library
            .store()
            .read_blocking(move |connection| {
                let sql = format!("SELECT count(*) FROM {table}");
                Ok::<_, crate::LibraryError>(connection.query_row(&sql, [], |row| row.get(0))?)
            })
            .unwrap()
    }

    /// How many files are kept.
    pub(crate) fn blobs(&self) -> usize {
        self.library.store().blobs().list().unwrap().len()
    }
}

pub(crate) fn open(folder: &std::path::Path) -> Library {
    let store = Store::open(folder, &StoreKey::from_bytes([7; 32]), &crate::rooms()).unwrap();
    Library::open(store).unwrap()
}

pub(crate) fn collection(name: &str, audience: Audience) -> NewCollection {
    NewCollection {
        name: name.into(),
        about: String::new(),
        audience,
        consent: Consent { uses: [Use::Search, Use::Grounding].into(), level: Level::LocalOnly },
        licence: "CC-BY-4.0".into(),
        language: Some("en".into()),
        review: false,
    }
}

pub(crate) fn words(paragraphs: &[&str]) -> Extracted {
    let block = |text: &&str| Block { kind: BlockKind::Paragraph, text: (*text).into(), page: None };
    Extracted { blocks: paragraphs.iter().map(block).collect(), ..Extracted::default() }
}

pub(crate) fn librarian() -> Hand {
    Hand::Librarian("m-librarian".into())
}

pub(crate) fn member(name: &str) -> Hand {
    Hand::Member(name.into())
}
