//! Where an engine listens: a Unix socket of this box, or HTTP on another machine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EngineAddress {
    /// A Unix socket of this box.
    Unix(PathBuf),
    /// HTTP over TCP.
    Http(HttpAddress),
}

impl From<HttpAddress> for EngineAddress {
    fn from(address: HttpAddress) -> Self {
        Self::Http(address)
    }
}

impl From<&Path> for EngineAddress {
    fn from(socket: &Path) -> Self {
        Self::Unix(socket.to_owned())
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(socket) => socket.display().fmt(f),
            Self::Http(address) => address.fmt(f),
        }
    }
}

/// `http://HOST[:PORT][/BASE]`. The base is what stands before `/v1`; an address that ends in `/v1`, as SDKs want it,
/// means the same without.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpAddress {
    host: String,
    port: u16,
    base: String,
}

/// Why a text is no address of an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Encrypted HTTP.
    #[error(
        "\"{0}\" asks for HTTPS, which this box does not speak to engines; use http:// inside your own network, or put a \
         tunnel (WireGuard, `ssh -L`) in between and give its near end"
    )]
    Https(String),
    /// A user and a password.
    #[error("the address of {0} has a user and a password in it; put the engine's key into a file instead")]
    Credentials(String),
    /// Anything else.
    #[error(
        "\"{0}\" is not the address of an engine; write it as http://HOST:PORT, such as http://192.168.1.20:8080"
    )]
    NotHttp(String),
}

impl HttpAddress {
    /// The host's name or number, as a connection wants it.
    pub(super) fn target(&self) -> (&str, u16) {
        (self.host.trim_start_matches('[').trim_end_matches(']'), self.port)
    }

    /// What stands in the `Host` header.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What stands before `/v1`; empty, or begins with a slash and does not end in one.
    pub(super) fn base(&self) -> &str {
        &self.base
    }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.base)
    }
}

impl FromStr for HttpAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let no = || AddressError::NotHttp(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| no())?;
        let authority = uri.authority().ok_or_else(no)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::Credentials(authority.host().to_owned()));
        }
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(AddressError::Https(text.to_owned())),
            _ => return Err(no()),
        }
        if authority.host().is_empty() || uri.query().is_some() || text.contains('#') {
            return Err(no());
        }
        // `Authority::port` takes a port that is no number for none.
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" => 80,
            rest => {
                let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
                port.filter(|port| *port > 0).ok_or_else(no)?
            }
        };
        let base = uri.path().trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base).trim_end_matches('/');
        Ok(Self { host: authority.host().to_owned(), port, base: base.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        let cases = [
            ("http://box.lan:8080", "http://box.lan:8080"),
            ("http://box.lan", "http://box.lan:80"),
            (" http://10.0.0.7:8000/v1/ ", "http://10.0.0.7:8000"),
            ("http://10.0.0.7:8000/v1", "http://10.0.0.7:8000"),
            ("http://h:1/llm/v1", "http://h:1/llm"),
            ("http://h:1/llm/", "http://h:1/llm"),
            ("http://[fd00::1]:9", "http://[fd00::1]:9"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<HttpAddress>().unwrap().to_string(), expected, "{text}");
        }
        let address: HttpAddress = "http://[fd00::1]:9".parse().unwrap();
        assert_eq!(address.target(), ("fd00::1", 9));
    }

    #[test]
    fn what_is_no_address_is_refused_in_words() {
        let cases = [
            ("https://h:1", "does not speak"),
            ("http://me:secret@h:1", "into a file"),
            ("h:1", "write it as"),
            ("ftp://h", "write it as"),
            ("http://", "write it as"),
            ("http://h:0", "write it as"),
            ("http://h:99999", "write it as"),
            ("http://h:", "write it as"),
            ("http://h/?a=b", "write it as"),
            ("", "write it as"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<HttpAddress>().unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
