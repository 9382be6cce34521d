//! `GET /library`: collections, archives, the newest; with `?collection=` the documents of one.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use banyan_knowledge::{CollectionId, Listing};
use http::StatusCode;
use minijinja::{Value, context};

use super::{day, failed, kept};
use crate::Portal;
use crate::community::Refused;
use crate::library::documents::{self, LISTED};
use crate::library::params::Params;
use crate::library::patron::Patron;
use crate::library::types::DocumentView;
use crate::library::{not_there, shelves};
use crate::visit::Visit;

/// Of the newest so many.
const NEWEST: u32 = 8;

/// `GET /library`.
pub(crate) async fn shelves(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    params: Params,
) -> Response {
    let written = async {
        let patron = patron?;
        match params.read::<CollectionId>("collection")? {
            Some(collection) => one(&portal, &visit, &patron, &params, collection).await,
            None => all(&portal, &visit, &patron).await,
        }
    };
    let values = match written.await {
        Ok(values) => context! { kept => kept(&params), ..values },
        Err(refused) => return failed(&portal, &visit, &refused),
    };
    portal.pages().page(StatusCode::OK, "library.html", &visit, values)
}

async fn all(portal: &Portal, visit: &Visit, patron: &Patron) -> Result<Value, Refused> {
    let (collections, archives) = shelves::all(portal, patron).await?;
    let shelves: Vec<Value> = collections
        .into_iter()
        .map(|shelf| {
            let collection = shelf.collection;
            let count = visit.language.fill("page.library.documents", &[("n", &collection.documents.to_string())]);
            context! { href => format!("/library?collection={}", collection.id), name => collection.name, about => collection.about, count }
        })
        .chain(archives.into_iter().filter(|archive| archive.readable).map(|archive| {
            let count = visit.language.fill("page.library.articles", &[("n", &archive.articles.to_string())]);
            context! { href => format!("/library/z/{}", archive.id), name => archive.title, about => archive.attribution, count }
        }))
        .collect();
    let listing = Listing { newest: true, limit: NEWEST, ..Listing::default() };
    let newest = documents::page(portal, patron, listing).await?;
    Ok(context! {
        title => visit.language.text("page.library.title"),
        on_library => true,
        shelves,
        documents => rows(newest.documents),
    })
}

async fn one(
    portal: &Portal,
    visit: &Visit,
    patron: &Patron,
    params: &Params,
    id: CollectionId,
) -> Result<Value, Refused> {
    let (collections, _) = shelves::all(portal, patron).await?;
    let shelf = collections.into_iter().map(|shelf| shelf.collection).find(|shelf| shelf.id == id);
    let shelf = shelf.ok_or_else(|| not_there("collection"))?;
    let skip = params.read("after")?.unwrap_or(0);
    let listing = Listing { collection: Some(id), skip, limit: LISTED, ..Listing::default() };
    let page = documents::page(portal, patron, listing).await?;
    Ok(context! {
        title => shelf.name,
        about => shelf.about,
        collection => shelf.id.to_string(),
        count => visit.language.fill("page.library.documents", &[("n", &shelf.documents.to_string())]),
        documents => rows(page.documents),
        more => page.next.map(|next| format!("/library?collection={}&after={next}", shelf.id)),
    })
}

fn rows(documents: Vec<DocumentView>) -> Vec<Value> {
    documents
        .into_iter()
        .map(|view| {
            let document = view.document;
            context! {
                href => format!("/library/d/{}", document.id),
                title => document.title,
                author => document.author,
                collection => view.collection_name,
                day => day(document.updated),
            }
        })
        .collect()
}
