//! What every request passes, whatever it asks for: a number for the log, who is signed in, the check that a form comes
//! from our own page, the net under a mistake of ours, and the headers that keep a browser from doing what no page here
//! needs.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

use crate::Portal;
use crate::community::session_of;
use crate::visit::{LANGUAGE_COOKIE, MEMBER_COOKIE, Peer, Reader, Visit};

/// Everything comes from this box, nothing runs inline, nobody frames us.
///
/// Referrer policy `same-origin`, not `no-referrer`: with that one browsers send `Origin: null` with our own forms.
pub(crate) const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// One year, in seconds.
const KEEP_COOKIES: u32 = 365 * 24 * 60 * 60;

/// The outermost layer.
pub(crate) async fn guard(State(portal): State<Portal>, mut request: Request<Body>, next: Next) -> Response {
    let started = Instant::now();
    let peer = request.extensions().get::<Peer>().copied();
    let mut visit = Visit::new(request.uri(), request.headers(), peer);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let session = if is_foreign(&method, request.headers(), &visit) {
        Err(StatusCode::FORBIDDEN)
    } else {
        session_of(&portal, &visit, &path, request.headers()).await.map_err(|error| {
            tracing::error!(id = visit.id, %error, "who is signed in could not be looked up");
            StatusCode::INTERNAL_SERVER_ERROR
        })
    };
    let mut response = match session {
        Err(status) => portal.refuse(&visit, status),
        Ok(caller) => {
            if let Some(caller) = caller {
                visit = visit.signed_in(caller);
            }
            request.extensions_mut().insert(visit.clone());
            match AssertUnwindSafe(next.run(request)).catch_unwind().await {
                Ok(response) => response,
                Err(_) => {
                    tracing::error!(id = visit.id, %method, path, "a request met a mistake of ours");
                    portal.refuse(&visit, StatusCode::INTERNAL_SERVER_ERROR)
                }
            }
        }
    };
    finish(response.headers_mut(), &visit);
    // Never what was asked: that is the member's.
    tracing::info!(
        id = visit.id,
        %method,
        path,
        status = response.status().as_u16(),
        first_byte_ms = started.elapsed().as_millis() as u64,
    );
    response
}

fn finish(headers: &mut HeaderMap, visit: &Visit) {
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages hold what members wrote, and their language differs by cookie; only hashed files may be kept.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&visit.id) {
        headers.insert("x-request-id", id);
    }
    if visit.chose_language && visit.reader == Reader::Person {
        let code = visit.language.code();
        // Not `HttpOnly`: the web app reads and changes the same choice, and a language is no secret.
        let cookie = format!("{LANGUAGE_COOKIE}={code}; Path=/; Max-Age={KEEP_COOKIES}; SameSite=Lax");
        add_cookie(headers, &cookie);
    }
    if let Some(id) = &visit.new_cookie {
        add_cookie(
            headers,
            &format!("{MEMBER_COOKIE}={id}; Path=/; Max-Age={KEEP_COOKIES}; HttpOnly; SameSite=Lax"),
        );
    }
}

fn add_cookie(headers: &mut HeaderMap, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Whether a request that changes something was sent by a page that is not ours.
///
/// Browsers say so themselves: newer ones in `Sec-Fetch-Site`, older ones in `Origin`. One that says neither is
/// either too old or not a browser, and is let through. `/v1` does not need this: it goes by a key, which no foreign
/// page has.
fn is_foreign(method: &Method, headers: &HeaderMap, visit: &Visit) -> bool {
    if method.is_safe() || visit.reader == Reader::Program {
        return false;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let authority =
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    !matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::PortalConfig;

    #[tokio::test]
    async fn a_mistake_of_ours_is_a_page_with_a_number_and_not_the_end() {
        async fn mistake() -> &'static str {
            panic!("a mistake")
        }
        let portal = Portal::new(PortalConfig::new("/nowhere", "/nowhere"));
        let router = Router::new()
            .route("/", get(mistake))
            .route("/v1/models", get(mistake))
            .layer(from_fn_with_state(portal.clone(), guard))
            .with_state::<()>(portal);
        for (path, words) in [("/", "tell a steward this number"), ("/v1/models", "\"internal_error\"")] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 500);
            let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8_lossy(&body);
            assert!(body.contains(words) && body.contains(&id), "{body}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_told_from_our_own() {
        let host = ("host", "box.lan:8080");
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let cases: [(&str, Headers<'_>, bool); 10] = [
            ("POST", &[host, ("sec-fetch-site", "same-origin")], false),
            ("POST", &[host, ("sec-fetch-site", "none")], false),
            ("POST", &[host, ("sec-fetch-site", "cross-site"), ("origin", "http://box.lan:8080")], true),
            ("POST", &[host, ("sec-fetch-site", "same-site")], true),
            ("POST", &[host, ("origin", "http://BOX.lan:8080")], false),
            ("POST", &[host, ("origin", "http://box.lan")], true),
            ("POST", &[host, ("origin", "null")], true),
            ("POST", &[host, ("origin", "http://evil.example")], true),
            ("POST", &[host], false),
            ("GET", &[host, ("sec-fetch-site", "cross-site")], false),
        ];
        for (method, headers, foreign) in cases {
            let uri = "/chat".parse().unwrap();
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| {
                    (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
                })
                .collect();
            let visit = Visit::new(&uri, &map, None);
            assert_eq!(is_foreign(&method.parse().unwrap(), &map, &visit), foreign, "{method} {headers:?}");
        }
    }
}
