//! Existing documentation on other machines: a website, or a folder that is served by WebDAV (Nextcloud and others).
//! What is there is mirrored into a folder of the box, which is then taken in like any other.
//!
//! It stays within the folder of the address that was given, and within [`Bounds`]; it keeps to robots.txt, asks for one
//! thing at a time, and does not ask twice for what has not changed. What is fetched is read in the process without
//! rights, like every file.

mod dav;
mod links;
mod mirror;
mod robots;
mod site;

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{Request, Response, StatusCode, header};
use ureq::{Agent, Body};

use self::links::Place;
use self::mirror::Mirror;

/// From a question to the last byte of its answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two questions: others use the server too.
const BREATH: Duration = Duration::from_millis(50);

/// What was left out is told one by one up to so many.
const TOLD: usize = 20;

/// How much is fetched at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Pages and files.
    pub(crate) files: u32,
    /// Bytes of one.
    pub(crate) one: u64,
    /// Bytes of all.
    pub(crate) all: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { files: 2000, one: 128 << 20, all: 4 << 30 }
    }
}

/// Where documentation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    kind: Kind,
    /// By whom a WebDAV folder is opened.
    user: Option<String>,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Site,
    Dav,
}

impl Address {
    /// None when it is a path on this machine; an error when it is a broken address.
    pub(crate) fn parse(text: &str) -> Option<Result<Self>> {
        let (scheme, rest) = text.split_once("://")?;
        let (kind, secure) = match scheme {
            "http" => (Kind::Site, false),
            "https" => (Kind::Site, true),
            "dav" => (Kind::Dav, false),
            "davs" => (Kind::Dav, true),
            _ => return None,
        };
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let (user, host) = match host.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, host),
        };
        let scheme = if secure { "https" } else { "http" };
        let place = Place::parse(scheme, host, path);
        Some(
            place
                .with_context(|| {
                    format!("\"{text}\" is no address; write it like https://hall.example/docs/")
                })
                .map(|place| Self { kind, user, place }),
        )
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

/// How far it is.
pub(crate) struct Progress<'a> {
    pub(crate) done: u32,
    pub(crate) known: u32,
    pub(crate) now: &'a str,
}

/// What was fetched.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// The folder with it.
    pub(crate) folder: PathBuf,
    /// What stands before the names of its files.
    pub(crate) origin: String,
    /// Files that are new or changed.
    pub(crate) new: u32,
    /// Files that are as they were.
    pub(crate) unchanged: u32,
    /// What was left out, and why; the first few.
    pub(crate) left_out: Vec<(String, String)>,
}

impl Fetched {
    fn leave_out(&mut self, what: &str, why: impl Into<String>) {
        if self.left_out.len() < TOLD {
            self.left_out.push((what.to_owned(), why.into()));
        }
    }
}

/// Mirrors an address into a folder of its own below `mirrors`.
pub(crate) fn fetch(
    address: &Address,
    password: Option<&str>,
    mirrors: &Path,
    bounds: &Bounds,
    report: &mut dyn FnMut(&Progress<'_>),
) -> Result<Fetched> {
    let mirror = Mirror::open(mirrors, &address.place)?;
    let asker = Asker::new(address, password);
    match address.kind {
        Kind::Site => site::fetch(&asker, mirror, &address.place, bounds, report),
        Kind::Dav => dav::fetch(&asker, mirror, &address.place, bounds, report),
    }
}

/// Asks the one server.
struct Asker {
    agent: Agent,
    authorization: Option<String>,
}

impl Asker {
    fn new(address: &Address, password: Option<&str>) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            // Each is looked at first: it may lead elsewhere.
            .max_redirects(0)
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .user_agent(concat!("Banyan/", env!("CARGO_PKG_VERSION"), " (a community's library)"));
        let user = address.user.as_deref();
        let authorization = user.map(|user| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.unwrap_or_default())))
        });
        Self { agent: config.build().new_agent(), authorization }
    }

    /// Asks; `known` is what the server called the version that is here already.
    fn ask(
        &self,
        method: &str,
        place: &Place,
        known: Option<&str>,
        body: &'static str,
    ) -> Result<Response<Body>> {
        std::thread::sleep(BREATH);
        let mut request = Request::builder().method(method).uri(place.to_string());
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Some(tag) = known {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        if !body.is_empty() {
            request = request.header("depth", "1").header(header::CONTENT_TYPE, "application/xml");
        }
        let answer = self.agent.run(request.body(body)?);
        answer.with_context(|| format!("{place} does not answer; is it reachable from this box?"))
    }
}

/// The body, if it is not larger than allowed.
fn read(response: &mut Response<Body>, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.body_mut().as_reader().take(most + 1).read_to_end(&mut bytes).context("it was cut off")?;
    if bytes.len() as u64 > most {
        bail!("it has more than {} MB", most >> 20);
    }
    Ok(bytes)
}

/// What a status means, where it is none of those that are expected.
fn refusal(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "the server wants a name and a password: davs://NAME@HOST/… and --password-file FILE".into()
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => "the server has no such page".into(),
        other => format!("the server answers {other}"),
    }
}

fn tag(response: &Response<Body>) -> Option<String> {
    Some(response.headers().get(header::ETAG)?.to_str().ok()?.to_owned())
}
