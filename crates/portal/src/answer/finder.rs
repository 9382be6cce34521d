//! Finds in the library what an answer may rest on.
//!
//! What may be used is asked three times: in the search itself, right before a passage goes into a prompt, and right
//! before it is cited. In between a document may be withdrawn, a collection closed, a source's approval ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use banyan_assembly::Assembly;
use banyan_governance::decision::SourceUse;
use banyan_governance::policy::Policy;
use banyan_knowledge::ground::{self, Numbered};
use banyan_knowledge::{CollectionId, Embedder, Hit, Library, Place, Query, Reader, Use, ZimShelf};
use tokio::time::timeout;

use super::Grounds;
use crate::community::now;

/// How long a search waits for the embedding model before it goes by words alone. An answer's first word takes longer
/// than that, so nobody waits for it.
const FOR_MEANING: Duration = Duration::from_millis(300);

/// How long an answer waits for the library in all. One that hangs is left out, and the audit entry says so.
const FOR_ALL: Duration = Duration::from_secs(2);

/// Passages that are shown. The prompt takes fewer.
const SHOWN: usize = 6;

/// Where answers find what they rest on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Finder {
    library: Library,
    embedder: Option<Arc<dyn Embedder>>,
    zim: Option<ZimShelf>,
    assembly: Option<Assembly>,
}

impl Finder {
    pub(crate) fn new(
        library: Library,
        embedder: Option<Arc<dyn Embedder>>,
        zim: Option<ZimShelf>,
        assembly: Option<Assembly>,
    ) -> Self {
        Self { library, embedder, zim, assembly }
    }

    /// What the library has on a question; none where it is not to be asked: nothing is asked for, no source is approved,
    /// or there is nothing in it for this reader. An error says why it could not be asked.
    pub(crate) async fn find(
        &self,
        question: &str,
        earlier_questions: &[String],
        reader: Reader,
        policy: &Policy,
    ) -> Result<Option<Grounds>, String> {
        let earlier: Vec<&str> = earlier_questions.iter().map(String::as_str).collect();
        let Some(text) = ground::query(question, &earlier) else { return Ok(None) };
        let sources = self.sources(policy);
        if sources.as_ref().is_some_and(BTreeSet::is_empty) {
            return Ok(None);
        }
        let query = Query {
            text,
            r#use: Use::Grounding,
            reader: reader.clone(),
            collections: sources.as_ref().map(ids),
            languages: None,
            limit: SHOWN,
        };
        let finding = self.search(&query);
        let found =
            timeout(FOR_ALL, finding).await.unwrap_or_else(|_| Err("it did not answer in time".into()));
        let Some(hits) = found.map_err(|error| format!("the library was not asked: {error}"))? else {
            return Ok(None);
        };
        let covered = ground::covers(&query.text, &hits);
        self.count(covered);
        let numbered = (1..).zip(hits).map(|(number, hit)| Numbered { number, hit });
        Ok(Some(Grounds::new(self.clone(), reader, policy.clone(), numbered.collect(), covered)))
    }

    /// Counts it, in the background: nobody waits for the disk to see passages.
    fn count(&self, covered: bool) {
        let library = self.library.clone();
        tokio::spawn(async move {
            if let Err(error) = library.count_coverage(covered, now().0).await {
                tracing::warn!(%error, "whether the library covered a question could not be counted");
            }
        });
    }

    async fn search(&self, query: &Query) -> Result<Option<Vec<Hit>>, String> {
        if !self.has_anything(&query.reader).await? {
            return Ok(None);
        }
        let found = self.library.search(query, self.embedder.as_deref(), FOR_MEANING).await;
        found.map(|found| Some(found.hits)).map_err(|error| error.to_string())
    }

    /// Which of these passages may be used at this moment.
    pub(super) async fn usable(
        &self,
        passages: &[Numbered],
        reader: &Reader,
        policy: &Policy,
    ) -> Result<BTreeSet<u32>, String> {
        let sources = self.sources(policy);
        let approved = |passage: &&Numbered| {
            sources.as_ref().is_none_or(|sources| sources.contains(passage.hit.collection.as_str()))
        };
        let mut documents = BTreeMap::new();
        let mut articles: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for passage in passages.iter().filter(approved) {
            match &passage.hit.place {
                Place::Document { passage: id, .. } => drop(documents.insert(*id, passage.number)),
                Place::Article { zim, .. } => articles.entry(zim.clone()).or_default().push(passage.number),
            }
        }
        let ids = documents.keys().copied().collect();
        let still = self.library.still_usable(ids, Use::Grounding, reader.clone()).await;
        let still = still.map_err(|error| error.to_string())?;
        let mut usable: BTreeSet<u32> = still.iter().filter_map(|id| documents.get(id).copied()).collect();
        if let Some(shelf) = self.zim.clone().filter(|_| !articles.is_empty()) {
            let reader = reader.clone();
            let allowed = tokio::task::spawn_blocking(move || {
                let allows = |zim: &str| shelf.allows(zim, Use::Grounding, reader.clone()).unwrap_or(false);
                articles.into_iter().filter(|(zim, _)| allows(zim)).flat_map(|(_, numbers)| numbers).collect()
            });
            let allowed: Vec<u32> = allowed.await.map_err(|error| error.to_string())?;
            usable.extend(allowed);
        }
        Ok(usable)
    }

    /// Erases questions to the members that are older than the policy keeps them.
    pub(crate) async fn sweep_questions(&self, keep_days: u32) {
        if let Err(error) = self.library.sweep_questions(keep_days, now().0).await {
            tracing::error!(%error, "old questions to the members could not be erased");
        }
    }

    /// The embedding model, for the check of an answer.
    pub(super) fn embedder(&self) -> Option<&dyn Embedder> {
        self.embedder.as_deref()
    }

    /// Sources that may ground answers, by name; none: every collection whose consent allows it. A community decides
    /// which; before there is one, nobody has.
    fn sources(&self, policy: &Policy) -> Option<BTreeSet<String>> {
        let in_force =
            self.assembly.as_ref().map(Assembly::in_force).filter(|in_force| in_force.is_founded())?;
        let approved = in_force.sources.iter().filter(|(_, uses)| uses.contains(&SourceUse::Grounding));
        let named = |name: &&String| policy.sources.as_ref().is_none_or(|sources| sources.contains(*name));
        Some(approved.map(|(name, _)| name).filter(named).cloned().collect())
    }

    /// Whether there is anything at all that this reader may find: an empty library costs an answer nothing, and is not
    /// said to lack an answer.
    async fn has_anything(&self, reader: &Reader) -> Result<bool, String> {
        let collections =
            self.library.collections(reader.audience).await.map_err(|error| error.to_string())?;
        if collections.iter().any(|collection| collection.documents > 0) {
            return Ok(true);
        }
        let Some(shelf) = self.zim.clone().filter(|_| !collections.is_empty()) else { return Ok(false) };
        let reader = reader.clone();
        let archives = tokio::task::spawn_blocking(move || shelf.archives(reader));
        let archives =
            archives.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(!archives.is_empty())
    }
}

/// Names of other kinds of sources are no collections.
fn ids(sources: &BTreeSet<String>) -> Vec<CollectionId> {
    sources.iter().filter_map(|name| name.parse().ok()).collect()
}
