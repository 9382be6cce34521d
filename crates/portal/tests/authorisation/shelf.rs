//! The community's library: documents of somebody, open to different people, and one thing of each kind.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;
use std::sync::Arc;

use banyan_knowledge::{
    Audience, Block, BlockKind, Consent, DocumentId, Extract, Extracted, Hand, Importer, Level, Library,
    NewAnswer, NewCollection, NewDocument, NewQuestion, NewVersion, Original, Use,
};
use banyan_store::Store;

/// Reads plain text: paragraphs with an empty line between, `# ` before a heading.
pub(crate) struct Plain;

impl Extract for Plain {
    fn extract(&self, path: &Path, _name: &str) -> Result<Extracted, String> {
        let text = std::fs::read_to_string(path).map_err(|_| "this is no text".to_owned())?;
        if text.contains("SLOW") {
            std::thread::sleep(std::time::Duration::from_millis(400));
        }
        if text.contains("BROKEN") {
            Err("this file is damaged; save it anew".into())
        } else {
            Ok(words(&text))
        }
    }
}

pub(crate) fn words(text: &str) -> Extracted {
    let block = |text: &str| match text.strip_prefix("# ") {
        Some(heading) => Block { kind: BlockKind::Heading(1), text: heading.trim().into(), page: None },
        None => Block { kind: BlockKind::Paragraph, text: text.trim().into(), page: None },
    };
    Extracted { blocks: text.split("\n\n").map(block).collect(), ..Extracted::default() }
}

/// What there is.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) library: Library,
    pub(crate) importer: Importer,
    /// Collections: open to guests, to members, to librarians; the second is reviewed.
    pub(crate) open: String,
    pub(crate) inner: String,
    pub(crate) closed: String,
    /// For guests, by the owner.
    pub(crate) leaflet: String,
    /// For members, by the owner; two versions, with their files.
    pub(crate) minutes: String,
    /// For members, but nobody agreed to its being searched.
    pub(crate) secret: String,
    /// For librarians.
    pub(crate) accounts: String,
    /// By the owner, waits for a librarian.
    pub(crate) draft: String,
}

impl Shelf {
    pub(crate) fn empty(store: Store) -> Self {
        let library = Library::open(store).unwrap();
        let none = String::new;
        Self {
            importer: Importer::new(library.clone(), Arc::new(Plain)),
            library,
            open: none(),
            inner: none(),
            closed: none(),
            leaflet: none(),
            minutes: none(),
            secret: none(),
            accounts: none(),
            draft: none(),
        }
    }

    pub(crate) async fn filled(mut self, owner: &str, now: i64) -> Self {
        self.open = self.collection("Leaflets", Audience::Guests, false, now).await;
        self.inner = self.collection("Minutes", Audience::Members, true, now).await;
        self.closed = self.collection("Accounts", Audience::Librarians, false, now).await;
        let own = Hand::Member(owner.into());
        let (open, inner) = (self.open.clone(), self.inner.clone());
        self.leaflet =
            self.document(&open, "# Clean water\n\nBoil water for one minute.", &own, now, |_| ()).await;
        let keeper = Hand::Librarian("m-x".into());
        let of_owner = |new: &mut NewDocument| new.contributor = Some(owner.into());
        self.minutes =
            self.document(&inner, "# May meeting\n\nThe well is deep.", &keeper, now, of_owner).await;
        let new = NewVersion {
            extracted: words("# May meeting\n\nThe well is very deep."),
            original: Some(Original::new("minutes 2.txt", b"The well is very deep.".to_vec())),
            why: "corrected".into(),
            review: false,
        };
        let minutes: DocumentId = self.minutes.parse().unwrap();
        self.library.replace(minutes, new, keeper, now).await.unwrap();
        let unread = |new: &mut NewDocument| {
            new.consent = Some(Consent { uses: [Use::Grounding].into(), level: Level::LocalOnly });
        };
        self.secret = self.document(&inner, "Nobody may look for the heron.", &Hand::Box, now, unread).await;
        let closed = self.closed.clone();
        self.accounts = self.document(&closed, "The ledger of the otter.", &Hand::Box, now, |_| ()).await;
        self.draft =
            self.document(&inner, "A draft about the kingfisher.", &own, now, |new| new.review = true).await;
        self
    }

    async fn collection(&self, name: &str, audience: Audience, review: bool, now: i64) -> String {
        let new = NewCollection {
            name: name.into(),
            about: String::new(),
            audience,
            consent: Consent { uses: [Use::Search, Use::Grounding].into(), level: Level::LocalOnly },
            licence: "CC-BY-4.0".into(),
            language: Some("en".into()),
            review,
        };
        self.library.add_collection(new, Hand::Box, now).await.unwrap().id.to_string()
    }

    pub(crate) async fn document(
        &self,
        collection: &str,
        text: &str,
        hand: &Hand,
        now: i64,
        change: impl FnOnce(&mut NewDocument),
    ) -> String {
        let mut new = NewDocument::new(collection.parse().unwrap(), "file.txt", words(text));
        new.original = Some(Original::new("file.txt", text.as_bytes().to_vec()));
        change(&mut new);
        self.library.add(new, hand.clone(), now).await.unwrap().document.to_string()
    }

    /// A question of the owner with an answer of theirs; the numbers of both.
    pub(crate) async fn asked(&self, owner: &str, now: i64) -> (i64, i64) {
        let new = NewQuestion { text: "Where is the key?".into(), language: None, named: true };
        let question = self.library.ask_members(new, owner.into(), 90, now).await.unwrap().id;
        let new = NewAnswer { text: "Under the pot.".into(), may_become_document: true };
        let thread = self.library.answer_question(question, new, owner.into(), now).await.unwrap();
        (question, thread.answers[0].id)
    }
}
