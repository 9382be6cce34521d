//! A library with one collection, and portals that have it.

use banyan_assembly::Assembly;
use banyan_governance::Decision;
use banyan_governance::decision::SourceUse;
use banyan_identity::SigningKey;
use banyan_knowledge::{
    Audience, Block, BlockKind, CollectionId, Consent, DocumentId, Embedder, Embedding, Extracted, Hand,
    Level, Library, NewCollection, NewDocument, Use,
};
use banyan_portal::PortalConfig;
use banyan_store::{Store, StoreKey};
use tempfile::TempDir;

use crate::common::TestBox;
use crate::community::{Community, now};

pub(crate) const BOIL: &str = "Bring the water to a rolling boil for one minute. Above 2,000 metres, high in the mountains, \
    boil it for three minutes. Let the water cool in a covered pot.";

/// The library.
pub(crate) struct Shelf {
    library: Library,
    pub(crate) collection: CollectionId,
    store: Store,
    _dir: TempDir,
}

impl Shelf {
    /// With the collection "Water" for this audience.
    pub(crate) async fn new(audience: Audience) -> Self {
        let dir = TempDir::new().unwrap();
        let rooms = [banyan_assembly::rooms(), banyan_knowledge::rooms()].concat();
        let store = Store::open(dir.path(), &StoreKey::from_bytes([5; 32]), &rooms).unwrap();
        let library = Library::open(store.clone()).unwrap();
        let uses = [Use::Search, Use::Grounding];
        let new = collection("Water", audience, &uses);
        let collection = library.add_collection(new, Hand::Box, 1).await.unwrap().id;
        Self { library, collection, store, _dir: dir }
    }

    pub(crate) async fn add(&self, title: &str, text: &str) -> DocumentId {
        let block = Block { kind: BlockKind::Paragraph, text: text.into(), page: None };
        let extracted = Extracted { blocks: vec![block], ..Extracted::default() };
        let new = NewDocument::new(self.collection.clone(), title, extracted);
        let new = NewDocument { title: Some(title.into()), ..new };
        self.library.add(new, Hand::Box, 2).await.unwrap().document
    }

    /// A collection that may be read, and on which no answer may rest.
    pub(crate) async fn closed_collection(&self, name: &str) {
        let new = collection(name, Audience::Members, &[Use::Search]);
        self.library.add_collection(new, Hand::Box, 1).await.unwrap();
    }

    pub(crate) async fn withdraw(&self, document: &DocumentId) {
        self.library.withdraw(document.clone(), "It is wrong.".into(), Hand::Box, 3).await.unwrap();
    }

    /// Waits until so many questions are counted as covered and as not.
    pub(crate) async fn is_counted(&self, covered: u64, not_covered: u64) {
        let mut counted = (0, 0);
        for _ in 0..100 {
            let days = self.library.coverage(7, now().0).await.unwrap();
            counted = days.iter().fold((0, 0), |(yes, no), day| (yes + day.covered, no + day.not_covered));
            if counted == (covered, not_covered) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("counted {counted:?}");
    }

    /// The community decides that answers may rest on it.
    pub(crate) async fn approve(&self, community: &Community) {
        let source = self.collection.to_string();
        community.decide(Decision::ApproveSource { source, r#use: SourceUse::Grounding }).await;
    }

    pub(crate) async fn site(&self) -> TestBox {
        self.site_with(|_| {}).await
    }

    pub(crate) async fn site_with(&self, change: impl FnOnce(&mut PortalConfig)) -> TestBox {
        TestBox::with(|config| {
            config.library = Some(self.library.clone());
            change(config);
        })
        .await
    }

    pub(crate) async fn site_of(&self, community: &Community) -> TestBox {
        self.site_with(|config| config.assembly = Some(community.assembly.clone())).await
    }

    /// A box with this library that nobody has founded.
    pub(crate) async fn unfounded(&self) -> (TestBox, Assembly) {
        let assembly = Assembly::open(self.store.clone(), SigningKey::from_bytes(&[9; 32])).unwrap();
        (self.site_with(|config| config.assembly = Some(assembly.clone())).await, assembly)
    }
}

fn collection(name: &str, audience: Audience, uses: &[Use]) -> NewCollection {
    NewCollection {
        name: name.into(),
        about: String::new(),
        audience,
        consent: Consent { uses: uses.iter().copied().collect(), level: Level::LocalOnly },
        licence: "CC-BY-4.0".into(),
        language: Some("en".into()),
        review: true,
    }
}

/// An embedding model that never answers.
pub(crate) struct Hanging;

impl Embedder for Hanging {
    fn name(&self) -> String {
        "hanging".into()
    }

    fn embed<'a>(&'a self, _: &'a [String]) -> Embedding<'a> {
        Box::pin(std::future::pending())
    }
}
