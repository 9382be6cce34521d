//! The founding: the first member, the constitution kit, and the shares by which the box can be opened again.
//!
//! What the founding puts in force goes through `enact` like everything else, with the founding as its authority. It
//! happens once: the steps are one transaction, and a box that has a constitution has had it.

use std::path::Path;

use banyan_governance::MemberId;
use banyan_governance::Time;
use banyan_governance::constitution::GovernanceModel;
use banyan_governance::kits::{self, Kit};
use banyan_identity::recovery;
use banyan_store::KeySource;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::invitations::{self, NewInvitation};
use super::name::Name;
use super::secret::{MemberKey, Secret};
use super::setup_code::SetupCode;
use super::sign_in::SignIn;
use super::{joining, session};
use crate::assembly::Assembly;
use crate::enact;
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;

/// The longest name of a community: a line of a phone.
const MAX_COMMUNITY: usize = 60;
/// How many the first invitation lets in, and for how many days: the founding meeting and who comes a week later.
const FIRST_USES: u32 = 50;
const FIRST_DAYS: u32 = 14;

/// What a founder says.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Founding {
    /// The code that the box showed at its first start.
    pub setup_code: String,
    /// What the community is called.
    pub community: String,
    /// Which constitution kit it begins with.
    pub kit: String,
    /// What the founder is called.
    pub name: String,
    /// The founder's PIN or passphrase.
    pub secret: String,
    /// Into how many recovery shares the box's key is split; absent: none are made now.
    #[serde(default)]
    pub shares: Option<SharesWanted>,
    /// Words with which every answer ends; absent: the kit's.
    #[serde(default)]
    pub policy_greeting: Option<String>,
}

/// Into how many recovery shares the box's key is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SharesWanted {
    /// So many of them open the box.
    pub needed: u8,
    /// Of so many.
    pub of: u8,
}

/// What came of it.
pub struct Founded {
    /// The founder is signed in.
    pub sign_in: SignIn,
    /// The recovery shares as words, one for each steward's paper; they can be had at this moment only.
    pub shares: Vec<String>,
    /// For those who found with them.
    pub invitation: NewInvitation,
}

/// A kit, to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KitView {
    /// By what it is chosen.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// For whom it is.
    pub about: String,
    /// How power is spread.
    pub governance_model: GovernanceModel,
}

/// What the ledger says of the founding.
#[derive(Serialize)]
struct Recorded<'a> {
    kit: &'a str,
    founder: &'a MemberId,
    shares: Option<SharesWanted>,
}

impl Assembly {
    /// The kits that a community can begin with.
    #[must_use]
    pub fn kits() -> Vec<KitView> {
        let view = |kit: &Kit| KitView {
            id: kit.name.to_owned(),
            title: kit.title.to_owned(),
            about: kit.about.to_owned(),
            governance_model: kit.constitution.governance_model,
        };
        kits::all().iter().map(view).collect()
    }

    /// Founds the community of the box with this data folder, and signs the founder in as its first steward. `sources`:
    /// what answers rested on until now, by name; they may go on, and what comes later takes a decision.
    pub async fn found(
        &self,
        founding: Founding,
        sources: &[String],
        data: &Path,
        now: Time,
    ) -> Result<Founded, AssemblyError> {
        not_founded(&self.in_force())?;
        let setup = SetupCode::of_box(data);
        setup.check(&founding.setup_code)?;
        let community = community(&founding.community)?;
        let kit = kit(&founding)?;
        let (name, secret) = (Name::new(&founding.name)?, Secret::new(&founding.secret, "secret")?);
        let shares = founding.shares.map(|wanted| split(data, wanted)).transpose()?.unwrap_or_default();
        let key = MemberKey::generate()?;
        let sealed = secret.seal(&key).await?;
        let (wanted, sources) = (founding.shares, sources.to_vec());
        let (token, invitation) = self
            .change(now, move |change| {
                not_founded(&InForce::load(change.tx)?)?;
                let founder = joining::add(change, &name, &sealed)?;
                change.record("founding", &Recorded { kit: kit.name, founder: &founder, shares: wanted })?;
                enact::name_community(change, &community)?;
                for enactment in kits::found(&kit, &founder, &sources) {
                    enact::enact(change, &enactment)?;
                }
                let invitation = invitations::make(change, &founder, FIRST_USES, FIRST_DAYS)?;
                Ok((session::begin(change.tx, &founder, &key, change.now)?, invitation))
            })
            .await?;
        if let Err(error) = setup.remove() {
            // It founds nothing any more: there is a community.
            tracing::warn!(%error, "the setup code could not be removed");
        }
        Ok(Founded { sign_in: self.signed_in(token, now).await?, shares, invitation })
    }
}

fn not_founded(in_force: &InForce) -> Result<(), Refusal> {
    if in_force.is_founded() {
        let message = "there is a community on this box already; join it".into();
        return Err(Refusal::WrongState { code: "founded_already", message });
    }
    Ok(())
}

fn community(text: &str) -> Result<String, Refusal> {
    let community = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_name =
        (1..=MAX_COMMUNITY).contains(&community.chars().count()) && !community.contains(char::is_control);
    if is_name {
        return Ok(community);
    }
    let message = format!("what the community is called has 1 to {MAX_COMMUNITY} characters");
    Err(Refusal::Invalid { field: "community", code: "community_name", message })
}

/// The kit, with the greeting in its policy.
fn kit(founding: &Founding) -> Result<Kit, Refusal> {
    let Some(kit) = kits::find(&founding.kit).cloned() else {
        let names: Vec<&str> = kits::all().iter().map(|kit| kit.name).collect();
        let message = format!("there is no kit of that name; choose one of {}", names.join(", "));
        return Err(Refusal::Invalid { field: "kit", code: "no_such_kit", message });
    };
    match founding.policy_greeting.as_deref().filter(|text| !text.trim().is_empty()) {
        None => Ok(kit),
        Some(greeting) => kit.with_greeting(greeting).map_err(|error| Refusal::Invalid {
            field: "policy_greeting",
            code: "policy_invalid",
            message: error.to_string(),
        }),
    }
}

/// The box's key as shares in words.
fn split(data: &Path, wanted: SharesWanted) -> Result<Vec<String>, AssemblyError> {
    let key = KeySource::of_box(data).load()?;
    let shares = recovery::split(key.as_bytes(), wanted.needed, wanted.of)
        .map_err(|error| Refusal::Invalid { field: "shares", code: "shares", message: error.to_string() })?;
    Ok(shares.iter().map(recovery::Share::to_words).collect())
}
