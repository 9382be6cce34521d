//! Who asks, as far as an answer's form depends on it: the language, page or program, and the request's number.

use std::net::{IpAddr, Ipv4Addr};

use banyan_assembly::people::Caller;
use http::{HeaderMap, Uri, header};
use rand::Rng as _;

use crate::answers::Owners;
use crate::language::Language;
use crate::queue::Member;

/// Name of the cookie that keeps a chosen language.
pub(crate) const LANGUAGE_COOKIE: &str = "lang";

/// Name of the cookie by which a member is known again. It says nothing about the person; it is a random number.
pub(crate) const MEMBER_COOKIE: &str = "banyan_member";

/// From where a request came; the accept loop knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

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
    /// From which address.
    pub(crate) address: IpAddr,
    /// Who is signed in; the guard looks it up.
    pub(crate) caller: Option<Caller>,
    /// By whom a question counts: by who is signed in, else by the cookie, without one by the address.
    pub(crate) member: Member,
    /// The value of the cookie that this visit gets, when it has none.
    pub(crate) new_cookie: Option<String>,
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
    pub(crate) fn new(uri: &Uri, headers: &HeaderMap, peer: Option<Peer>) -> Self {
        let reader = match uri.path() {
            path if path == "/v1" || path.starts_with("/v1/") => Reader::Program,
            path if path.starts_with("/api/") => Reader::App,
            _ => Reader::Person,
        };
        let chosen = chosen(uri);
        let kept = || Language::from_tag(cookie(headers, LANGUAGE_COOKIE)?);
        let wished = || headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok().and_then(Language::from_accept);
        // The web app says its language in the header; a cookie of the plain page may be older than that choice.
        let language = match reader {
            Reader::Person => chosen.or_else(kept).or_else(wished),
            Reader::App | Reader::Program => chosen.or_else(wished).or_else(kept),
        };
        let known = cookie(headers, MEMBER_COOKIE).filter(|value| is_member_cookie(value));
        let address = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Peer(address)| address);
        let wants_cookie = known.is_none() && reader != Reader::Program && !is_file(uri.path());
        Self {
            id: format!("{:016x}", rand::rng().random::<u64>()),
            language: language.unwrap_or(Language::English),
            chose_language: chosen.is_some(),
            reader,
            address,
            caller: None,
            member: known.map_or_else(|| Member::address(address), Member::cookie),
            new_cookie: wants_cookie.then(|| format!("{:032x}", rand::rng().random::<u128>())),
        }
    }

    /// The same visit, of somebody who is signed in. A guest's cookie is of no use to them.
    pub(crate) fn signed_in(mut self, caller: Caller) -> Self {
        self.member = Member::person(caller.member.as_str());
        self.new_cookie = None;
        self.caller = Some(caller);
        self
    }

    /// Who may read an answer that is asked for with this visit.
    pub(crate) fn owners(&self) -> Owners {
        Owners::new(self.member.clone(), self.new_cookie.as_deref().map(Member::cookie))
    }
}

fn is_member_cookie(value: &str) -> bool {
    value.len() == 32 && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What browsers keep for a year must not carry a cookie.
pub(crate) fn is_file(path: &str) -> bool {
    path.starts_with("/assets/") || matches!(path, "/icon.svg" | "/healthz")
}

fn chosen(uri: &Uri) -> Option<Language> {
    form_urlencoded::parse(uri.query()?.as_bytes())
        .find(|(name, _)| name == LANGUAGE_COOKIE)
        .and_then(|(_, value)| Language::from_tag(&value))
}

pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(uri: &str, cookie: &str, accept: &str, expected: Language) {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(accept).unwrap());
        let visit = Visit::new(&uri.parse().unwrap(), &headers, None);
        assert_eq!(visit.language, expected, "{uri} {cookie} {accept}");
    }

    #[test]
    fn a_member_is_known_by_the_cookie_and_without_one_by_the_address() {
        let id = "0123456789abcdef0123456789abcdef";
        let visit = |path: &str, cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
            Visit::new(&path.parse().unwrap(), &headers, Some(Peer([10, 0, 0, 7].into())))
        };
        let known = visit("/", &format!("lang=sw; banyan_member={id}"));
        assert_eq!((known.member.name(), known.new_cookie), (&*format!("member:{id}"), None));
        for cookie in ["", "banyan_member=", "banyan_member=key:till", &format!("banyan_member={id}0")] {
            let new = visit("/chat", cookie);
            assert_eq!(new.member.name(), "address:10.0.0.7", "{cookie}");
            assert!(new.new_cookie.as_deref().is_some_and(is_member_cookie), "{cookie}");
        }
        for path in ["/assets/app.js", "/icon.svg", "/healthz", "/v1/models"] {
            assert_eq!(visit(path, "").new_cookie, None, "{path}");
        }
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
            assert_eq!(Visit::new(&path.parse().unwrap(), &HeaderMap::new(), None).reader, reader, "{path}");
        }
    }
}
