//! Who asks, as far as an answer's form depends on it: the language, page or program, and the request's number.

use http::{HeaderMap, Uri, header};
use rand::Rng as _;

use crate::language::Language;

/// Name of the cookie that keeps a chosen language.
pub(crate) const LANGUAGE_COOKIE: &str = "lang";

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// A random number that stands in the log and on the page of an error.
    pub(crate) id: String,
    /// The language to answer in.
    pub(crate) language: Language,
    /// Whether the language was chosen just now (`?lang=`), and should be kept.
    pub(crate) chose_language: bool,
    /// Whether a person reads the answer, or a program.
    pub(crate) reader: Reader,
}

/// For whom an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A page.
    Person,
    /// JSON, the web app's `/api`.
    App,
    /// JSON, `/v1`.
    Program,
}

impl Visit {
    pub(crate) fn new(uri: &Uri, headers: &HeaderMap) -> Self {
        let reader = match uri.path() {
            path if path == "/v1" || path.starts_with("/v1/") => Reader::Program,
            path if path.starts_with("/api/") => Reader::App,
            _ => Reader::Person,
        };
        let chosen = chosen(uri);
        let kept = || cookie(headers);
        let wished = || headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok().and_then(Language::from_accept);
        // The web app says its language in the header; a cookie of the plain page may be older than that choice.
        let language = match reader {
            Reader::Person => chosen.or_else(kept).or_else(wished),
            Reader::App | Reader::Program => chosen.or_else(wished).or_else(kept),
        };
        Self {
            id: format!("{:016x}", rand::rng().random::<u64>()),
            language: language.unwrap_or(Language::English),
            chose_language: chosen.is_some(),
            reader,
        }
    }
}

fn chosen(uri: &Uri) -> Option<Language> {
    form_urlencoded::parse(uri.query()?.as_bytes())
        .find(|(name, _)| name == LANGUAGE_COOKIE)
        .and_then(|(_, value)| Language::from_tag(&value))
}

fn cookie(headers: &HeaderMap) -> Option<Language> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == LANGUAGE_COOKIE)
        .and_then(|(_, value)| Language::from_tag(value))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(uri: &str, cookie: &str, accept: &str, expected: Language) {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(accept).unwrap());
        assert_eq!(Visit::new(&uri.parse().unwrap(), &headers).language, expected, "{uri} {cookie} {accept}");
    }

    #[test]
    fn a_choice_comes_before_what_was_kept_and_that_before_the_browsers_wish() {
        check("/?a=1&lang=ar", "lang=sw", "es", Language::Arabic);
        check("/", "a=b; lang=sw", "es", Language::Swahili);
        check("/?lang=xx", "lang=zz", "es", Language::Spanish);
        check("/", "", "fr", Language::English);
    }

    #[test]
    fn the_web_apps_own_language_comes_before_an_old_cookie() {
        check("/api/chat", "lang=sw", "es", Language::Spanish);
        check("/api/chat", "lang=sw", "fr", Language::Swahili);
    }

    #[test]
    fn the_path_says_who_reads() {
        for (path, reader) in [
            ("/", Reader::Person),
            ("/v1", Reader::Program),
            ("/v1/models", Reader::Program),
            ("/v1x", Reader::Person),
            ("/api/status", Reader::App),
        ] {
            assert_eq!(Visit::new(&path.parse().unwrap(), &HeaderMap::new()).reader, reader, "{path}");
        }
    }
}
