//! A library of a wanted size.

use std::time::Instant;

use banyan_knowledge::{
    Audience, CollectionId, Consent, Embedder, Extracted, Hand, Level, Library, LibraryError, NewCollection,
    NewDocument, Use,
};
use serde_json::{Value, json};

use crate::corpus::{self, Document, Growth};
use crate::vectors::Kept;
use crate::{Outcome, count, seconds};

/// Passages that are given their vectors between two words on standard error.
const BETWEEN: usize = 2000;

/// When everything came in.
const NOW: i64 = 1_790_000_000;

pub(crate) async fn fill(
    library: &Library,
    corpus: &str,
    kept: &str,
    socket: &str,
    wanted: usize,
) -> Outcome<Value> {
    let documents = corpus::read(corpus)?;
    let growth = Growth::of(&documents);
    let collection = collection(library).await?;
    let before = count(library, "passages")?;
    let began = Instant::now();
    let mut passages = before;
    if before == 0 {
        for document in documents {
            passages += add(library, &collection, document).await?;
        }
    }
    let (real_s, real) = (seconds(began), passages - before);
    let kept = Kept::open(kept, socket)?;
    let began = Instant::now();
    if before == 0 {
        embed(library, &kept).await?;
    }
    let real_embed_s = seconds(began);

    let began = Instant::now();
    let (first, mut made) = (passages, 0);
    let already = made_before(library)?;
    while passages < wanted {
        let document = growth.document(already + made);
        passages += add(library, &collection, document).await?;
        made += 1;
    }
    let made_s = seconds(began);
    let began = Instant::now();
    embed(library, &kept.made()).await?;
    Ok(json!({
        "passages": passages,
        "real": { "passages": real, "add_s": real_s, "embed_s": real_embed_s },
        "made": { "passages": passages - first, "add_s": made_s, "embed_s": seconds(began) },
    }))
}

async fn collection(library: &Library) -> Outcome<CollectionId> {
    if let Some(there) = library.collections(Audience::Librarians).await?.into_iter().next() {
        return Ok(there.id);
    }
    let new = NewCollection {
        name: "Bench".into(),
        about: String::new(),
        audience: Audience::Guests,
        consent: Consent { uses: [Use::Search].into(), level: Level::LocalOnly },
        licence: "see the packages".into(),
        language: Some("en".into()),
        review: false,
    };
    Ok(library.add_collection(new, Hand::Box, NOW).await?.id)
}

/// Adds a document; gives the number of its passages.
async fn add(library: &Library, collection: &CollectionId, document: Document) -> Outcome<usize> {
    let extracted = Extracted { blocks: document.blocks, ..Extracted::default() };
    let mut new = NewDocument::new(collection.clone(), &document.id, extracted);
    new.title = Some(document.title);
    match library.add(new, Hand::Box, NOW).await {
        Ok(added) => Ok(added.passages),
        // The same page in two packages.
        Err(LibraryError::Known { .. }) => Ok(0),
        Err(error) => Err(format!("{}: {error}", document.id).into()),
    }
}

fn made_before(library: &Library) -> Outcome<usize> {
    count(library, "documents WHERE source LIKE 'made/%'")
}

async fn embed(library: &Library, embedder: &dyn Embedder) -> Outcome<()> {
    loop {
        let left = library.embed_pending(embedder, BETWEEN).await?;
        if left == 0 {
            return Ok(());
        }
        eprintln!("  {left} passages wait for their vectors");
    }
}
