//! Files under `/assets/`: the web app's build, as `build.rs` found it, and the plain pages' style sheet.
//!
//! Every name carries a hash of its content, so a phone keeps each file for a year and never asks twice.

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Deserialize;

include!(concat!(env!("OUT_DIR"), "/web_assets.rs"));

/// The plain pages' own rules, after the tokens that they share with the web app.
const PAGE_CSS: &str =
    concat!(include_str!("../../../web/src/styles/tokens.css"), "\n", include_str!("../static/page.css"));

/// The web app's starting point in the manifest of its build.
const ENTRY: &str = "src/main.ts";

/// A file of the web app's build.
pub(crate) struct Embedded {
    /// Below the root, such as `assets/app-1a2b.js`.
    pub(crate) path: &'static str,
    pub(crate) bytes: &'static [u8],
    /// The same, compressed when the web app was built.
    pub(crate) gzip: Option<&'static [u8]>,
    pub(crate) etag: &'static str,
}

/// What the plain pages link to, and what is served for it.
pub(crate) struct Assets {
    files: &'static [Embedded],
    /// Path of the plain pages' style sheet.
    pub(crate) page_css: String,
    /// Path of the web app's script; none when the portal was built without it.
    pub(crate) script: Option<String>,
    /// Style sheets that the script wants to be there before it.
    pub(crate) styles: Vec<String>,
}

#[derive(Deserialize)]
struct ManifestEntry {
    file: String,
    #[serde(default)]
    css: Vec<String>,
}

impl Assets {
    pub(crate) fn embedded() -> Self {
        Self::new(FILES, MANIFEST)
    }

    fn new(files: &'static [Embedded], manifest: &str) -> Self {
        let mut manifest: std::collections::HashMap<String, ManifestEntry> =
            serde_json::from_str(manifest).unwrap_or_default();
        let entry = manifest.remove(ENTRY);
        let styles = entry.iter().flat_map(|entry| &entry.css).map(|file| format!("/{file}")).collect();
        Self {
            files,
            page_css: format!("/assets/page-{}.css", &blake3::hash(PAGE_CSS.as_bytes()).to_hex()[..12]),
            script: entry.map(|entry| format!("/{}", entry.file)),
            styles,
        }
    }

    /// The answer to `GET /assets/…`; none when there is no such file.
    pub(crate) fn serve(&self, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        if path == self.page_css {
            return Some(immutable("page.css", Bytes::from_static(PAGE_CSS.as_bytes())));
        }
        let path = path.strip_prefix('/')?;
        let file = self.files.iter().find(|file| file.path == path)?;
        if headers.get(IF_NONE_MATCH).is_some_and(|tags| contains(tags, file.etag)) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().insert(ETAG, HeaderValue::from_static(file.etag));
            return Some(response);
        }
        let gzip = file.gzip.filter(|_| headers.get(ACCEPT_ENCODING).is_some_and(accepts_gzip));
        let mut response = immutable(path, Bytes::from_static(gzip.unwrap_or(file.bytes)));
        let headers = response.headers_mut();
        headers.insert(ETAG, HeaderValue::from_static(file.etag));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if gzip.is_some() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Some(response)
    }
}

fn immutable(name: &str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}

/// The kinds of files that the web app's build makes; anything else is not shown but saved.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn contains(tags: &HeaderValue, etag: &str) -> bool {
    let Ok(tags) = tags.to_str() else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn accepts_gzip(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    value.split(',').any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip")
            && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static TWO: &[Embedded] = &[
        Embedded { path: "assets/app-1.js", bytes: b"plain", gzip: Some(b"small"), etag: "\"e1\"" },
        Embedded { path: "assets/leaf-2.svg", bytes: b"<svg/>", gzip: None, etag: "\"e2\"" },
    ];
    const BUILT: &str = r#"{"src/main.ts":{"file":"assets/app-1.js","css":["assets/app-3.css"],"isEntry":true},
        "src/i18n/sw.json":{"file":"assets/sw-4.js"}}"#;

    fn get(path: &str, headers: &[(http::HeaderName, &'static str)]) -> Option<Response<Body>> {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        Assets::new(TWO, BUILT).serve(path, &headers)
    }

    #[test]
    fn the_page_links_to_what_the_web_build_made() {
        let assets = Assets::new(TWO, BUILT);
        assert_eq!(assets.script.as_deref(), Some("/assets/app-1.js"));
        assert_eq!(assets.styles, ["/assets/app-3.css"]);
    }

    #[test]
    fn without_a_web_build_there_is_still_a_style_sheet() {
        let assets = Assets::new(&[], "{}");
        assert_eq!(assets.script, None);
        let css = assets.serve(&assets.page_css, &HeaderMap::new()).unwrap();
        assert_eq!(css.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
        assert!(css.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }

    #[test]
    fn a_browser_that_can_gets_the_compressed_file_and_others_the_plain_one() {
        let cases =
            [("gzip, deflate, br", true), ("br;q=1.0, gzip;q=0.8", true), ("gzip;q=0", false), ("br", false)];
        for (accepted, compressed) in cases {
            let response = get("/assets/app-1.js", &[(ACCEPT_ENCODING, accepted)]).unwrap();
            assert_eq!(response.headers().contains_key(CONTENT_ENCODING), compressed, "{accepted}");
            assert_eq!(response.headers()[VARY], "accept-encoding");
        }
        let svg = get("/assets/leaf-2.svg", &[(ACCEPT_ENCODING, "gzip")]).unwrap();
        assert!(!svg.headers().contains_key(CONTENT_ENCODING));
    }

    #[test]
    fn what_the_phone_has_already_is_not_sent_again() {
        for tags in ["\"e1\"", "W/\"e1\"", "\"x\", \"e1\"", "*"] {
            let response = get("/assets/app-1.js", &[(IF_NONE_MATCH, tags)]).unwrap();
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{tags}");
        }
        assert_eq!(get("/assets/app-1.js", &[(IF_NONE_MATCH, "\"x\"")]).unwrap().status(), StatusCode::OK);
    }

    #[test]
    fn nothing_outside_the_build_is_served() {
        for path in [
            "/assets/",
            "/assets/../Cargo.toml",
            "/assets/app-1.js.gz",
            "/assets/%2e%2e/x",
            "assets/app-1.js",
        ] {
            assert!(get(path, &[]).is_none(), "{path}");
        }
    }
}
