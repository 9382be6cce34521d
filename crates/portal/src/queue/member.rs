//! Who asks, as far as turns are counted: a member by name, a guest's browser by its cookie, an address without one, a
//! program by its key.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A name that turns are counted by. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Member(Arc<str>);

const KEY: &str = "key:";
const PERSON: &str = "person:";
const ADDRESS: &str = "address:";

impl Member {
    /// A member of the community who is signed in, on whichever phone.
    pub(crate) fn person(id: &str) -> Self {
        Self(format!("{PERSON}{id}").into())
    }

    /// A browser that showed its cookie.
    pub(crate) fn cookie(value: &str) -> Self {
        Self(format!("member:{value}").into())
    }

    /// A browser without a cookie, or with one that is not ours.
    pub(crate) fn address(address: IpAddr) -> Self {
        Self(format!("{ADDRESS}{address}").into())
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

    /// Whether there is nothing but an address.
    pub(crate) fn is_address(&self) -> bool {
        self.0.starts_with(ADDRESS)
    }

    /// Whether it is somebody who is not signed in.
    pub(crate) fn is_guest(&self) -> bool {
        !self.is_program() && !self.0.starts_with(PERSON)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
