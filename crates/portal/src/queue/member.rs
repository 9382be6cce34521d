//! Who asks, as far as turns are counted: a browser by its cookie, an address without one, a program by its key.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A name that turns are counted by. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Member(Arc<str>);

const KEY: &str = "key:";

impl Member {
    /// A browser that showed its cookie.
    pub(crate) fn cookie(value: &str) -> Self {
        Self(format!("member:{value}").into())
    }

    /// A browser without a cookie, or with one that is not ours.
    pub(crate) fn address(address: IpAddr) -> Self {
        Self(format!("address:{address}").into())
    }

    /// A program.
    pub(crate) fn key(name: &str) -> Self {
        Self(format!("{KEY}{name}").into())
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_program(&self) -> bool {
        self.0.starts_with(KEY)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
