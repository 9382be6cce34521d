//! Addresses on one server, and the links of a page. A page is not parsed for it: whatever stands behind `href=` is
//! tried, and what is no link leads nowhere.

use std::fmt;

/// Characters of an address; longer ones are mostly made by machines.
const MAX_LENGTH: usize = 1000;

/// A page or a file on a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    scheme: String,
    host: String,
    /// Begins with a slash; no dots as folders, no query, no fragment.
    path: String,
}

impl Place {
    /// None when the host is none.
    pub(super) fn parse(scheme: &str, host: &str, path: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) || path.len() > MAX_LENGTH {
            return None;
        }
        let path = path.split(['?', '#']).next().unwrap_or_default();
        Some(Self { scheme: scheme.into(), host, path: without_dots(path) })
    }

    /// Where a link on this page leads, if it stays on the server. What has a query is left out: behind it often is a
    /// calendar without end.
    pub(super) fn follow(&self, link: &str) -> Option<Self> {
        let link = link.trim();
        let link = link.split('#').next().unwrap_or_default();
        if link.is_empty()
            || link.contains('?')
            || link.len() > MAX_LENGTH
            || link.chars().any(char::is_control)
        {
            return None;
        }
        if let Some((scheme, rest)) = link.split_once("://") {
            let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
            let other = Self::parse(&scheme.to_ascii_lowercase(), host, path)?;
            return (other.scheme == self.scheme && other.host == self.host).then_some(other);
        }
        if let Some(rest) = link.strip_prefix("//") {
            return self.follow(&format!("{}://{rest}", self.scheme));
        }
        let path = if link.starts_with('/') {
            link.to_owned()
        } else if link.split('/').next().is_some_and(|first| first.contains(':')) {
            // mailto:, javascript: and the like.
            return None;
        } else {
            format!("{}{link}", self.folder().path)
        };
        Some(Self { path: without_dots(&encoded(&path)), ..self.clone() })
    }

    /// The folder it stands in: itself when it ends with a slash.
    pub(super) fn folder(&self) -> Self {
        let end = self.path.rfind('/').map_or(0, |slash| slash + 1);
        Self { path: self.path.get(..end).unwrap_or("/").to_owned(), ..self.clone() }
    }

    /// The rest of its path below a folder.
    pub(super) fn below<'a>(&'a self, folder: &Self) -> Option<&'a str> {
        let same = self.scheme == folder.scheme && self.host == folder.host;
        self.path.strip_prefix(&folder.path).filter(|_| same)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.path)
    }
}

/// `a/./b/../c` is `a/c`; nothing leads above the root.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        parts.push("");
    }
    format!("/{}", parts.join("/"))
}

/// What may not stand in an address as it is.
fn encoded(path: &str) -> String {
    let mut safe = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' if !b"\"<>\\^`{|}".contains(&byte) => safe.push(char::from(byte)),
            other => safe.push_str(&format!("%{other:02X}")),
        }
    }
    safe
}

/// The values of all `href` of a page.
pub(super) fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lower = page.to_ascii_lowercase();
    for (at, word) in lower.match_indices("href") {
        let rest = page.get(at + word.len()..).unwrap_or_default().trim_start();
        let Some(rest) = rest.strip_prefix('=').map(str::trim_start) else { continue };
        let value = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => rest.get(1..).and_then(|rest| rest.split(quote).next()),
            Some(_) => rest.split(|one: char| one.is_whitespace() || one == '>').next(),
            None => None,
        };
        found.extend(value.map(|value| value.replace("&amp;", "&")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        Place::parse("https", "Hall.example", path).unwrap()
    }

    #[test]
    fn links_lead_where_a_browser_would_go_and_never_to_another_server() {
        let page = place("/docs/water/index.html");
        for (link, path) in [
            ("boil.html", "/docs/water/boil.html"),
            ("./a/../b.html#top", "/docs/water/b.html"),
            ("../../../../fire.html", "/fire.html"),
            ("/x y", "/x%20y"),
            ("https://HALL.example/a", "/a"),
            ("//hall.example/b", "/b"),
            ("..", "/docs/"),
        ] {
            assert_eq!(page.follow(link).map(|place| place.path), Some(path.to_owned()), "{link}");
        }
        for link in [
            "https://other.example/",
            "http://hall.example/",
            "mailto:amina@hall.example",
            "javascript:void(0)",
            "#top",
            "a?page=2",
            "https://hall.example@other.example/",
            "",
        ] {
            assert_eq!(page.follow(link), None, "{link}");
        }
    }

    #[test]
    fn every_form_of_link_is_seen() {
        let page = "<a HREF='a'>x</a><a class=b href = \"b&amp;c\">y</a><a href=d>z</a> href <a href";
        assert_eq!(links(page), ["a", "b&c", "d"]);
    }

    #[test]
    fn below_is_within_the_folder_only() {
        let docs = place("/docs/index.html").folder();
        assert_eq!(place("/docs/a/b").below(&docs), Some("a/b"));
        assert_eq!(place("/docs").below(&docs), None);
        assert_eq!(place("/docs-of-others/a").below(&docs), None);
    }
}
