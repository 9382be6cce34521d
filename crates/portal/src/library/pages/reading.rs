//! `GET /library/d/{id}` and `GET /library/z/{zim}/{path}`: a text to be read, the cited passage marked.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use banyan_knowledge::DocumentId;
use http::StatusCode;
use minijinja::{Value, context};

use super::{day, failed, kept, text};
use crate::Portal;
use crate::community::Refused;
use crate::library::pace::Act;
use crate::library::params::Params;
use crate::library::part::Wanted;
use crate::library::patron::Patron;
use crate::library::types::{ArticleReading, DocumentReading, Part};
use crate::library::{articles, documents, encoded, not_there};
use crate::visit::Visit;

/// `GET /library/d/{id}?v=&from=&to=&at=`.
pub(crate) async fn document(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    Path(id): Path<String>,
    params: Params,
) -> Response {
    let read = async {
        let patron = patron?;
        patron.paced(&portal, Act::Read)?;
        let id: DocumentId = id.parse().map_err(|_| not_there("document"))?;
        let wanted = documents::wanted(&params)?;
        let version = params.read("v")?;
        let reading = documents::reading(&portal, &patron, id, version, wanted).await?;
        Ok(of_document(&visit, reading, wanted))
    };
    answer(&portal, &visit, &params, read.await)
}

/// `GET /library/z/{zim}/{path}?from=&to=&at=`.
pub(crate) async fn article(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    Path((zim, path)): Path<(String, String)>,
    params: Params,
) -> Response {
    let read = read_article(&portal, &visit, patron, zim, Some(path), &params).await;
    answer(&portal, &visit, &params, read)
}

/// `GET /library/z/{zim}`.
pub(crate) async fn first_article(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    Path(zim): Path<String>,
    params: Params,
) -> Response {
    let read = read_article(&portal, &visit, patron, zim, None, &params).await;
    answer(&portal, &visit, &params, read)
}

fn answer(portal: &Portal, visit: &Visit, params: &Params, read: Result<Value, Refused>) -> Response {
    match read {
        Ok(values) => {
            let values = context! { kept => kept(params), ..values };
            portal.pages().page(StatusCode::OK, "library_read.html", visit, values)
        }
        Err(refused) => failed(portal, visit, &refused),
    }
}

async fn read_article(
    portal: &Portal,
    visit: &Visit,
    patron: Result<Patron, Refused>,
    zim: String,
    path: Option<String>,
    params: &Params,
) -> Result<Value, Refused> {
    let patron = patron?;
    patron.paced(portal, Act::Read)?;
    let wanted = documents::wanted(params)?;
    let reading = articles::reading(portal, &patron, zim, path, wanted).await?;
    Ok(of_article(visit, reading, wanted))
}

fn of_document(visit: &Visit, reading: DocumentReading, wanted: Wanted) -> Value {
    let DocumentReading { document: view, version, current, part } = reading;
    let (document, version) = (view.document, version.version);
    let number = version.number.to_string();
    let facts = facts(
        visit,
        [
            ("page.library.author", document.author),
            ("page.library.attribution", document.attribution),
            ("page.library.licence", document.licence),
            ("page.library.collection", view.collection_name),
            ("page.library.version", format!("{number}, {}", day(version.at))),
        ],
    );
    let original = version
        .has_original
        .then(|| format!("/api/library/documents/{}/original?version={number}", document.id));
    let base = format!("/library/d/{}?v={number}&", document.id);
    context! {
        title => document.title,
        language => document.language,
        facts,
        original,
        original_name => version.file_name,
        earlier => (!current).then(|| visit.language.fill("page.library.earlier", &[("n", &number)])),
        current => (!current).then(|| format!("/library/d/{}", document.id)),
        ..of_part(&part, wanted, &base)
    }
}

fn of_article(visit: &Visit, reading: ArticleReading, wanted: Wanted) -> Value {
    let base = format!("/library/z/{}/{}?", encoded(&reading.zim), encoded(&reading.path));
    let facts = facts(
        visit,
        [
            ("page.library.archive", reading.zim_title),
            ("page.library.attribution", reading.attribution),
            ("page.library.licence", reading.licence),
            ("page.library.collection", reading.collection_name),
        ],
    );
    context! {
        title => reading.title,
        language => reading.language,
        facts,
        ..of_part(&reading.part, wanted, &base)
    }
}

/// Those that have a value.
fn facts<const N: usize>(visit: &Visit, facts: [(&str, String); N]) -> Vec<Value> {
    let known = facts.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| context! { name => visit.language.text(name), value }).collect()
}

fn of_part(part: &Part, wanted: Wanted, base: &str) -> Value {
    let at = |place: usize| format!("{base}at={place}");
    // The headings that stand in this part are a step away; the others are on another page.
    let first = part.blocks.first().map_or(0, |block| block.start);
    let last = part.blocks.last().map_or(0, |block| block.end);
    let outline: Vec<Value> = part
        .outline
        .iter()
        .map(|heading| {
            let here = (first..last).contains(&heading.start);
            let block = part.blocks.iter().find(|block| here && block.start == heading.start);
            let href = block.map_or_else(|| at(heading.start), |block| format!("#b{}", block.number));
            context! { href, text => &heading.text, level => heading.level }
        })
        .collect();
    context! {
        text => Value::from_safe_string(text::blocks(part, wanted.cited)),
        outline => if outline.len() > 1 { outline } else { Vec::new() },
        before => part.before.map(at),
        after => part.after.map(at),
    }
}
