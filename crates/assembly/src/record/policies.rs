//! The policy and the constitution in force, in plain words, and the versions before.

use banyan_governance::constitution::Constitution;
use banyan_governance::policy::{Policy, PolicySentence};
use banyan_governance::{Authority, Permission, ProposalId, Time};
use banyan_store::rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use utoipa::ToSchema;

use crate::assembly::Assembly;
use crate::error::AssemblyError;
use crate::in_force::InForce;
use crate::people::Caller;

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PolicyView {
    /// Its version, from 1 on.
    pub version: u64,
    /// The ledger entry that put it in force.
    pub entry: u64,
    /// Since when.
    pub since: Time,
    /// The policy itself.
    pub policy: Policy,
    /// The same in plain words.
    pub sentences: Vec<PolicySentence>,
    /// The proposal that made it; absent: the founding did.
    pub proposal: Option<ProposalId>,
}

/// A version of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PolicyVersion {
    /// From 1 on.
    pub version: u64,
    /// The ledger entry that put it in force.
    pub entry: u64,
    /// When.
    pub at: Time,
    /// On what it rests.
    pub authority: Authority,
}

/// The constitution in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConstitutionView {
    /// Its version, from 1 on; 0 before the founding.
    pub version: u64,
    /// The constitution; absent before the founding.
    pub constitution: Option<Constitution>,
}

impl Assembly {
    /// The policy in force.
    pub async fn policy(&self, caller: &Caller) -> Result<PolicyView, AssemblyError> {
        caller.require(Permission::Read)?;
        self.read(|connection| {
            let InForce { policy, policy_version, policy_entry, .. } = InForce::load(connection)?;
            let made = version(connection, policy_version)?;
            let proposal = made.as_ref().and_then(|made| match &made.authority {
                Authority::Proposal { proposal } => Some(proposal.clone()),
                _ => None,
            });
            Ok(PolicyView {
                version: policy_version,
                entry: policy_entry,
                since: made.map_or(Time(0), |made| made.at),
                sentences: policy.in_words(),
                policy,
                proposal,
            })
        })
        .await
    }

    /// Every version of the policy, newest first.
    pub async fn policy_history(&self, caller: &Caller) -> Result<Vec<PolicyVersion>, AssemblyError> {
        caller.require(Permission::Read)?;
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT version FROM policies ORDER BY version DESC")?;
            let numbers =
                statement.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
            let versions = numbers.into_iter().map(|number| version(connection, number.cast_unsigned()));
            versions.filter_map(Result::transpose).collect()
        })
        .await
    }

    /// The constitution in force.
    pub async fn constitution(&self, caller: &Caller) -> Result<ConstitutionView, AssemblyError> {
        caller.require(Permission::Read)?;
        let in_force = self.in_force();
        let (version, constitution) = (in_force.constitution_version, in_force.constitution.clone());
        Ok(ConstitutionView { version, constitution })
    }
}

fn version(connection: &Connection, version: u64) -> Result<Option<PolicyVersion>, AssemblyError> {
    let found: Option<(i64, i64, String)> = connection
        .query_row(
            "SELECT entry, at, authority FROM policies WHERE version = ?1",
            [version.cast_signed()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    found
        .map(|(entry, at, authority)| {
            let authority = serde_json::from_str(&authority)?;
            Ok(PolicyVersion { version, entry: entry.cast_unsigned(), at: Time(at), authority })
        })
        .transpose()
}
