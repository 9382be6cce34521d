//! Articles of archives (ZIM).

use axum::Json;
use axum::extract::State;
use banyan_knowledge::ZimArticle;
use banyan_openai::ErrorBody;

use super::documents::wanted;
use super::not_there;
use super::pace::Act;
use super::params::Params;
use super::part::{Wanted, part};
use super::patron::Patron;
use super::types::ArticleReading;
use crate::Portal;
use crate::community::{Named, Refused};

/// An article of an archive, or the part of it that is asked for; its words only.
#[utoipa::path(get, path = "/api/library/zim/{zim}/article", tag = "library", operation_id = "library_article",
    params(
        ("zim" = String, Path, description = "Which archive"),
        ("path" = Option<String>, Query, description = "The article's path in it; absent: its first page"),
        ("from" = Option<usize>, Query, description = "Where a passage begins, in bytes of the plain text"),
        ("to" = Option<usize>, Query, description = "Where it ends"),
        ("at" = Option<usize>, Query, description = "The part with this byte"),
    ),
    responses(
        (status = 200, body = ArticleReading),
        (status = 400, description = "A parameter is not what it should be", body = ErrorBody),
        (status = 404, description = "There is no such archive or article, or it is not open to the caller", body = ErrorBody),
        (status = 429, description = "Too much at once", body = ErrorBody),
    ))]
pub(crate) async fn article(
    State(portal): State<Portal>,
    patron: Patron,
    Named(zim): Named<String>,
    params: Params,
) -> Result<Json<ArticleReading>, Refused> {
    patron.paced(&portal, Act::Read)?;
    let wanted = wanted(&params)?;
    let path = params.text("path").map(str::to_owned);
    Ok(Json(reading(&portal, &patron, zim, path, wanted).await?))
}

/// An article to be read, for a page too. No path: the archive's first page.
pub(super) async fn reading(
    portal: &Portal,
    patron: &Patron,
    zim: String,
    path: Option<String>,
    wanted: Wanted,
) -> Result<ArticleReading, Refused> {
    let shelf = portal.zim().ok_or_else(|| not_there("archive"))?.clone();
    let reader = patron.reader.clone();
    let read = move || shelf.article(&zim, path.as_deref(), reader);
    let ZimArticle {
        zim,
        zim_title,
        path,
        title,
        collection,
        collection_name,
        attribution,
        licence,
        language,
        blocks,
        ..
    } = super::on_a_thread(read).await?;
    Ok(ArticleReading {
        zim,
        zim_title,
        path,
        title,
        collection: collection.to_string(),
        collection_name,
        attribution,
        licence,
        language,
        part: part(&blocks, wanted),
    })
}
