//! Who comes to the library, and what they may there.

use axum::extract::FromRequestParts;
use banyan_assembly::people::Caller;
use banyan_assembly::{Assembly, Refusal};
use banyan_governance::Permission;
use banyan_governance::constitution::EmergencyPower;
use banyan_knowledge::{Audience, Document, DocumentId, Hand, Library, Reader};
use banyan_openai::ApiError;
use http::StatusCode;
use http::request::Parts;

use super::not_there;
use super::pace::Act;
use crate::Portal;
use crate::community::{Refused, now};
use crate::visit::Visit;

/// Somebody at the library.
#[derive(Debug, Clone)]
pub(crate) struct Patron {
    /// The library.
    pub(crate) library: Library,
    /// What they may find and read.
    pub(crate) reader: Reader,
    /// Who they are, when they are signed in.
    pub(crate) caller: Option<Caller>,
    pub(super) visit: Visit,
}

impl FromRequestParts<Portal> for Patron {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Refused> {
        let visit = parts.extensions.get::<Visit>().ok_or(Refusal::SignedOut)?;
        Self::of(portal, visit)
    }
}

impl Patron {
    /// Refused where there is no library, and to guests while the box is closed to them.
    pub(crate) fn of(portal: &Portal, visit: &Visit) -> Result<Self, Refused> {
        let library = portal.library()?.clone();
        let caller = visit.caller.clone();
        let closed =
            |assembly: &Assembly| assembly.in_force().has_power(EmergencyPower::CloseToGuests, now());
        if caller.is_none() && portal.maybe_assembly().is_some_and(closed) {
            return Err(Refusal::SignedOut.into());
        }
        let reader = Reader {
            audience: audience(caller.as_ref()),
            member: caller.as_ref().map(|caller| caller.member.to_string()),
        };
        Ok(Self { library, reader, caller, visit: visit.clone() })
    }

    /// Whether they keep the library.
    pub(crate) fn keeps(&self) -> bool {
        self.reader.audience == Audience::Librarians
    }

    /// Whether they may offer documents and answers.
    pub(crate) fn offers(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.may(Permission::Read))
    }

    /// Who they are; refused when nobody is signed in.
    pub(crate) fn signed_in(&self) -> Result<&Caller, Refused> {
        self.caller.as_ref().ok_or_else(|| Refusal::SignedOut.into())
    }

    /// The hand of a member or a librarian; refused to guests and to who is suspended.
    pub(crate) fn hand(&self) -> Result<Hand, Refused> {
        self.signed_in()?.require(Permission::Read)?;
        self.own_hand()
    }

    /// The same also for who is suspended: what they gave stays theirs.
    pub(crate) fn own_hand(&self) -> Result<Hand, Refused> {
        let member = self.signed_in()?.member.to_string();
        Ok(if self.keeps() { Hand::Librarian(member) } else { Hand::Member(member) })
    }

    /// The hand of a librarian; refused to everybody else.
    pub(crate) fn keeper(&self) -> Result<Hand, Refused> {
        let caller = self.signed_in()?;
        caller.require(Permission::KeepLibrary)?;
        Ok(Hand::Librarian(caller.member.to_string()))
    }

    /// A document that they see. Before anything is changed, so that a refusal tells nothing of what they do not see.
    pub(crate) async fn sees(&self, id: &DocumentId) -> Result<Document, Refused> {
        let found = self.library.document(id.clone(), self.reader.clone()).await;
        found.map_err(|error| match error {
            banyan_knowledge::LibraryError::NotFound { .. } => not_there("document"),
            other => other.into(),
        })
    }

    /// Slows down who does too much at once.
    pub(crate) fn paced(&self, portal: &Portal, act: Act) -> Result<(), Refused> {
        portal.pace().take(&self.visit, act, portal.limits().spare_loopback)
    }
}

fn audience(caller: Option<&Caller>) -> Audience {
    match caller {
        Some(caller) if caller.may(Permission::KeepLibrary) => Audience::Librarians,
        Some(caller) if caller.may(Permission::Read) => Audience::Members,
        _ => Audience::Guests,
    }
}

impl Portal {
    /// The library; 503 in words on a box that was started without one.
    pub(crate) fn library(&self) -> Result<&Library, Refused> {
        self.maybe_library().ok_or_else(|| {
            let words = "this portal runs without a library: it has no store; start it with `banyan run`";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            ApiError::new(status, "server_error", Some("no_library"), words).into()
        })
    }
}
