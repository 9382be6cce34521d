//! What is in force: the projection of the ledger by which the box goes.

use std::collections::{BTreeMap, BTreeSet};

use banyan_governance::constitution::{Constitution, EmergencyPower};
use banyan_governance::decision::{SharingKind, SourceUse};
use banyan_governance::policy::Policy;
use banyan_governance::{EmergencyId, Time};
use banyan_store::Room;
use banyan_store::rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::AssemblyError;

/// One row: the whole of what is in force, beside the number of the ledger entry that put it there.
pub(crate) const ROOM: Room = Room { name: "in_force", steps: &[include_str!("schema/in_force_1.sql")] };

/// What is in force. Written by `enact` only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct InForce {
    /// Number of the ledger entry that changed it last; 0 before the founding.
    pub entry: u64,
    /// What the community is called; empty before the founding.
    pub community: String,
    /// The policy.
    pub policy: Policy,
    /// Its version, from 1 on; 0 before the founding.
    pub policy_version: u64,
    /// The ledger entry that put it in force.
    pub policy_entry: u64,
    /// The constitution; absent before the founding.
    pub constitution: Option<Constitution>,
    /// Its version.
    pub constitution_version: u64,
    /// The chat model that was decided on; absent: the box's setting.
    pub model: Option<String>,
    /// The adapter that was decided on.
    pub adapter: Option<String>,
    /// For what each source may be used.
    pub sources: BTreeMap<String, BTreeSet<SourceUse>>,
    /// What may be shared with each neighbour, by fingerprint.
    pub neighbours: BTreeMap<String, Neighbour>,
    /// What may be shared at all.
    pub sharing: BTreeSet<SharingKind>,
    /// Training runs the community takes part in, with the budget in thousandths of epsilon.
    pub training: BTreeMap<String, u32>,
    /// The update that was decided on, until it runs: version and digest.
    pub update: Option<(String, String)>,
    /// Emergency powers in use; each ends by itself.
    pub emergencies: Vec<EmergencyInForce>,
    /// Until when stewards may look at what is closed to them.
    pub break_glass: Option<Time>,
}

/// A neighbour community.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Neighbour {
    /// What the community calls it.
    pub name: String,
    /// What may go there.
    pub kinds: BTreeSet<SharingKind>,
}

/// An emergency power in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmergencyInForce {
    /// Its name.
    pub id: EmergencyId,
    /// What it allows.
    pub power: EmergencyPower,
    /// When it ends by itself.
    pub until: Time,
    /// Whether the community confirmed it.
    pub ratified: bool,
}

impl InForce {
    /// Whether there is a community yet.
    #[must_use]
    pub fn is_founded(&self) -> bool {
        self.constitution.is_some()
    }

    /// Whether this emergency power is in use at this moment.
    #[must_use]
    pub fn has_power(&self, power: EmergencyPower, now: Time) -> bool {
        self.emergencies.iter().any(|used| used.power == power && now < used.until)
    }

    pub(crate) fn load(connection: &Connection) -> Result<Self, AssemblyError> {
        let text: Option<String> = connection
            .query_row("SELECT value FROM in_force WHERE one = 1", [], |row| row.get(0))
            .optional()?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default())
    }
}
