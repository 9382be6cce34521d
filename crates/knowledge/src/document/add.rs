//! How a document comes in.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use banyan_store::rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Document, DocumentState, Reader, line, rows};
use crate::consent::{Audience, Consent};
use crate::extracted::Extracted;
use crate::library::originals::MAX_ORIGINAL;
use crate::library::{Collection, CollectionId, DocumentId, Hand, Library, LibraryError, load_collection};
use crate::version::{Prepared, VersionState, rows as versions};

/// A document that is to come in. What is absent is taken from what the file says of itself, then from the collection.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Where it is to stand.
    pub collection: CollectionId,
    /// What it is called.
    pub title: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// How it wants to be named when it is cited.
    pub attribution: Option<String>,
    /// Its licence.
    pub licence: Option<String>,
    /// Its language.
    pub language: Option<String>,
    /// What it may be used for.
    pub consent: Option<Consent>,
    /// Where it came from: a file's name, an address.
    pub source: String,
    /// Its words.
    pub extracted: Extracted,
    /// The file itself; none for what was written on the box.
    pub original: Option<Original>,
    /// The member that it is from, where that is not the one who adds it.
    pub contributor: Option<String>,
    /// Whether a librarian looks at it first; what a member gives to a collection with review does in any case.
    pub review: bool,
}

impl NewDocument {
    /// With nothing said but where it stands, where it comes from and its words.
    #[must_use]
    pub fn new(collection: CollectionId, source: &str, extracted: Extracted) -> Self {
        Self {
            collection,
            title: None,
            author: None,
            attribution: None,
            licence: None,
            language: None,
            consent: None,
            source: source.to_owned(),
            extracted,
            original: None,
            contributor: None,
            review: false,
        }
    }
}

/// A file as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// What it is called.
    pub name: String,
    /// BLAKE3 of what is in it.
    pub hash: [u8; 32],
    /// What is in it; none when it is too large to be kept.
    pub bytes: Option<Vec<u8>>,
}

impl Original {
    /// What was given.
    #[must_use]
    pub fn new(name: &str, bytes: Vec<u8>) -> Self {
        let hash = *blake3::hash(&bytes).as_bytes();
        let kept = u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_ORIGINAL);
        Self { name: line::cut(name), hash, bytes: kept.then_some(bytes) }
    }

    /// A file on the disk, read piece by piece: only what is kept is held in memory.
    pub fn of_file(path: &Path) -> Result<Self, LibraryError> {
        let failed = || LibraryError::file("read", path);
        let mut file = File::open(path).map_err(failed())?;
        let (mut hasher, mut piece, mut kept) =
            (blake3::Hasher::new(), vec![0_u8; 1 << 16], Some(Vec::new()));
        loop {
            let length = file.read(&mut piece).map_err(failed())?;
            let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else { break };
            hasher.update(read);
            kept = kept.filter(|kept| ((kept.len() + length) as u64) <= MAX_ORIGINAL).map(|mut kept| {
                kept.extend_from_slice(read);
                kept
            });
        }
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        Ok(Self { name: line::cut(&name), hash: *hasher.finalize().as_bytes(), bytes: kept })
    }
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The document.
    pub document: DocumentId,
    /// The version.
    pub version: u32,
    /// Whether it waits for a librarian.
    pub waiting: bool,
    /// Passages that are found from now on.
    pub passages: usize,
    /// What could not be read, in words a librarian understands.
    pub warnings: Vec<String>,
}

impl Library {
    /// Takes a document in. When this returns it is found, or waits for a librarian. Refused when the collection has
    /// the same file already.
    pub async fn add(&self, new: NewDocument, hand: Hand, now: i64) -> Result<Added, LibraryError> {
        self.on_a_thread(move |library| library.add_blocking(new, hand, now)).await
    }

    /// [`Library::add`] where waiting is allowed.
    pub fn add_blocking(&self, mut new: NewDocument, hand: Hand, now: i64) -> Result<Added, LibraryError> {
        if new.title.as_deref().is_none_or(|title| line::tidy(title).is_empty()) {
            new.title = Some(title_of(&new));
        }
        let blocks = std::mem::take(&mut new.extracted.blocks);
        let warnings = std::mem::take(&mut new.extracted.warnings);
        let prepared = Prepared::new(blocks, warnings, new.original.take())?;
        let store = self.store().clone();
        prepared.named_by(self, |prepared| {
            self.store().write_blocking(move |tx| {
                let collection = load_collection(tx, &new.collection)?;
                if matches!(hand, Hand::Member(_)) && collection.audience > Audience::Members {
                    return Err(LibraryError::not_found("collection", &new.collection));
                }
                refuse_known(tx, &collection.id, &prepared.hash, None, &hand)?;
                if hand == Hand::Box {
                    refuse_withdrawn(tx, &collection.id, &prepared.hash)?;
                }
                let document = described(tx, &new, &collection, &prepared, &hand, now)?;
                let key = rows::insert(tx, &document)?;
                let state = VersionState::of_new(new.review || hand.is_reviewed(&collection));
                let place = versions::Place { key, id: &document.id };
                let new = versions::New { state, by: hand.name(), why: "added", now };
                versions::insert(&store, tx, place, &prepared, &new)
            })
        })
    }
}

/// What is known of a new document: said, or from the file, or from the collection.
fn described(
    tx: &Transaction<'_>,
    new: &NewDocument,
    collection: &Collection,
    prepared: &Prepared,
    hand: &Hand,
    now: i64,
) -> Result<Document, LibraryError> {
    let said = |text: &Option<String>| text.as_deref().map(line::tidy).filter(|text| !text.is_empty());
    let title = line::required("title", new.title.as_deref().unwrap_or_default())?;
    let author = match said(&new.author) {
        Some(author) => line::optional("author", &author)?,
        None => new.extracted.author.as_deref().map(line::cut).unwrap_or_default(),
    };
    let language = match said(&new.language) {
        Some(language) => line::language(&language)?,
        // What a file says of its language is sometimes no language.
        None => {
            new.extracted.language.as_deref().and_then(|language| line::language(language).ok().flatten())
        }
    };
    let licence = said(&new.licence).unwrap_or_else(|| collection.licence.clone());
    let before: i64 = tx.query_row(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'documents'",
        [],
        |row| row.get(0),
    )?;
    Ok(Document {
        id: DocumentId::of(before, now, &prepared.hash),
        collection: collection.id.clone(),
        title,
        author,
        attribution: line::optional("attribution", new.attribution.as_deref().unwrap_or_default())?,
        licence: line::required("licence", &licence)?,
        language: language.or_else(|| collection.language.clone()),
        consent: new.consent.clone().unwrap_or_else(|| collection.consent.clone()),
        contributor: match hand {
            // Members speak for themselves.
            Hand::Member(member) => Some(member.clone()),
            Hand::Librarian(member) => Some(new.contributor.as_ref().unwrap_or(member).clone()),
            Hand::Box => new.contributor.clone(),
        },
        source: line::cut(&new.source),
        state: DocumentState::WaitingReview,
        version: None,
        created: now,
        updated: now,
    })
}

/// What the file calls itself, else its first heading, else its name.
fn title_of(new: &NewDocument) -> String {
    let heading = new.extracted.blocks.iter().find(|block| block.kind == crate::BlockKind::Heading(1));
    let own = new.extracted.title.iter().chain(heading.map(|block| &block.text)).map(|text| line::cut(text));
    let name = new.original.as_ref().map_or(new.source.as_str(), |original| original.name.as_str());
    let stem = Path::new(name).file_stem().map(|stem| line::cut(&stem.to_string_lossy().replace('_', " ")));
    own.chain(stem).find(|title| !title.is_empty()).unwrap_or_else(|| "Without a title".into())
}

/// Refused when the collection has the same file, in whatever version. Of the document itself that gets a new version
/// only what is read or waits counts: it may come back to what it was before. Which document it is, is told to those who
/// see that one.
pub(crate) fn refuse_known(
    connection: &Connection,
    collection: &CollectionId,
    hash: &[u8; 32],
    itself: Option<i64>,
    hand: &Hand,
) -> Result<(), LibraryError> {
    let sql = "SELECT d.id, d.title FROM versions v JOIN documents d ON d.key = v.document \
               WHERE v.hash = ?1 AND v.state <> 'refused' AND d.collection = ?2 \
               AND (d.key IS NOT ?3 OR v.number = d.current OR v.state = 'waiting') LIMIT 1";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![&hash[..], collection, itself], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((document, title)) = found else { return Ok(()) };
    if let Hand::Member(member) = hand {
        let reader = Reader { audience: Audience::Members, member: Some(member.clone()) };
        rows::seen(connection, &document, &reader).map_err(|_| LibraryError::KnownUnseen)?;
    }
    Err(LibraryError::Known { document, title })
}

/// Refused when the same file was withdrawn from the collection.
pub(crate) fn refuse_withdrawn(
    connection: &Connection,
    collection: &CollectionId,
    hash: &[u8; 32],
) -> Result<(), LibraryError> {
    let sql = "SELECT t.why FROM trace_hashes h JOIN traces t ON t.document = h.document \
               WHERE h.hash = ?1 AND t.collection = ?2 ORDER BY t.at DESC LIMIT 1";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![&hash[..], collection], |row| row.get::<_, String>(0))
        .optional()?;
    match found {
        Some(why) => Err(LibraryError::WasWithdrawn { why }),
        None => Ok(()),
    }
}
