//! `GET /library/search?q=`.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use minijinja::{Value, context};

use super::{failed, kept, text};
use crate::Portal;
use crate::community::Refused;
use crate::library::pace::Act;
use crate::library::params::Params;
use crate::library::patron::Patron;
use crate::library::types::FoundHit;
use crate::library::{search, words};
use crate::visit::Visit;

/// `GET /library/search`.
pub(crate) async fn search(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    patron: Result<Patron, Refused>,
    params: Params,
) -> Response {
    match written(&portal, &visit, patron, &params).await {
        Ok((status, values)) => portal.pages().page(status, "library_search.html", &visit, values),
        Err(refused) => failed(&portal, &visit, &refused),
    }
}

async fn written(
    portal: &Portal,
    visit: &Visit,
    patron: Result<Patron, Refused>,
    params: &Params,
) -> Result<(StatusCode, Value), Refused> {
    let patron = patron?;
    let q = params.text("q").unwrap_or_default();
    let common = context! {
        title => visit.language.text("page.library.search"),
        q,
        collection => params.text("collection"),
        kept => kept(params),
    };
    if q.is_empty() {
        return Ok((StatusCode::OK, common));
    }
    if q.chars().count() > search::MAX_QUERY {
        let problem = visit.language.fill("page.library.tooLong", &[("n", &search::MAX_QUERY.to_string())]);
        return Ok((StatusCode::BAD_REQUEST, context! { problem, ..common }));
    }
    patron.paced(portal, Act::Search)?;
    let found = search::found(portal, &patron, params).await?;
    let looked_for = words::looked_for(q);
    let hits: Vec<Value> = found.hits.iter().map(|hit| row(visit, hit, &looked_for)).collect();
    // What was looked for becomes the question, so that nobody types it twice.
    let question = form_urlencoded::Serializer::new(String::new()).append_pair("text", q).finish();
    let ask = format!("/library/questions?{question}");
    let values = context! { title => visit.language.fill("page.library.found", &[("q", q)]), searched => true, hits, ask, ..common };
    Ok((StatusCode::OK, values))
}

fn row(visit: &Visit, found: &FoundHit, looked_for: &[String]) -> Value {
    let hit = &found.hit;
    context! {
        href => &found.href,
        title => &hit.title,
        heading => &hit.heading,
        page => hit.page.map(|page| visit.language.fill("page.library.page", &[("n", &page.to_string())])),
        snippet => Value::from_safe_string(text::snippet(&hit.text, &words::marks(&hit.text, looked_for))),
        collection => &hit.collection_name,
        attribution => &hit.attribution,
        licence => &hit.licence,
        language => &hit.language,
    }
}
