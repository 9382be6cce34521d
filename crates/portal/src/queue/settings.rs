//! What the queue goes by, as data: the community's policy sets it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Member;

/// How turns are given out. Everything has a default that suits a small box; a policy names only what differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// How many turns in a round.
    pub weights: Weights,
    /// How much one member may ask for.
    pub quotas: Quotas,
    /// What goes before what.
    pub classes: Classes,
    /// When the queue takes nobody any more.
    pub admission: Admission,
}

/// How many turns a member gets in a round of the queue: with 2 twice as many as with 1, when both wait all the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// For whoever is not named below.
    pub others: f64,
    /// For whoever is not signed in; absent means the same as for others.
    pub guests: Option<f64>,
    /// By the name that [`Quotas::by_name`] goes by too.
    pub by_name: BTreeMap<String, f64>,
}

impl Default for Weights {
    fn default() -> Self {
        Self { others: 1.0, guests: None, by_name: BTreeMap::new() }
    }
}

impl Weights {
    /// The least and the largest weight that counts; what lies outside is moved to the nearer one. A weight of nothing
    /// would let a member wait for ever, and a very large one everybody else.
    pub const RANGE: [f64; 2] = [0.1, 10.0];

    pub(super) fn of(&self, member: &Member) -> f64 {
        let others = self.guests.filter(|_| member.is_guest()).unwrap_or(self.others);
        let weight = *self.by_name.get(member.name()).unwrap_or(&others);
        let [least, most] = Self::RANGE;
        if weight.is_finite() { weight.clamp(least, most) } else { 1.0 }
    }
}

/// How much one member, or one program with a key, may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// For each person.
    pub members: Quota,
    /// For each person who is not signed in; absent means the same as for members.
    pub guests: Option<Quota>,
    /// For each API key: behind one stand the people of a whole platform.
    pub programs: Quota,
    /// By name, such as `key:bookkeeping`.
    pub by_name: BTreeMap<String, Quota>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            members: Quota { waiting: 8, running: 4, per_hour: None },
            guests: None,
            programs: Quota { waiting: 256, running: 256, per_hour: None },
            by_name: BTreeMap::new(),
        }
    }
}

impl Quotas {
    pub(super) fn of(&self, member: &Member) -> &Quota {
        let others = match &self.guests {
            _ if member.is_program() => &self.programs,
            Some(guests) if member.is_guest() => guests,
            _ => &self.members,
        };
        self.by_name.get(member.name()).unwrap_or(others)
    }
}

/// One member's quota.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Questions that may wait at a time; one more is refused.
    pub waiting: u32,
    /// Answers that may be written at a time; one more waits, even when a place is free.
    pub running: u32,
    /// Questions in an hour; absent means as many as get their turn.
    #[serde(default)]
    pub per_hour: Option<Rate>,
}

/// So many in an hour, and not more than some at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// In the long run.
    pub requests: f64,
    /// Saved up while nothing was asked.
    pub at_once: f64,
}

/// The classes of priority: crisis before normal, normal before background.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Classes {
    /// Urgent questions.
    pub crisis: CrisisRule,
    /// Work that nobody waits for.
    pub background: BackgroundRule,
}

/// Who may say that a question is urgent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrisisRule {
    /// Whether members may. Where not, their question waits as any other, and they are told.
    pub members_may: bool,
    /// So many urgent questions of one member; further ones wait as any other.
    pub per_hour: Option<Rate>,
}

/// When background work may begin: nobody else waits, and so many places stay free for who comes next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackgroundRule {
    /// Never more than all places but one, so that background work is not locked out of a box with a single place.
    pub leaves_free: u32,
}

impl Default for BackgroundRule {
    fn default() -> Self {
        Self { leaves_free: 1 }
    }
}

/// When the queue takes nobody any more. Urgent questions are taken all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admission {
    /// Questions that wait, all together.
    pub length: u32,
    /// Seconds of expected wait; a person who is told "half an hour" and no comes back later, one who is told nothing
    /// stands in front of the box.
    pub longest_wait_s: f64,
}

impl Default for Admission {
    fn default() -> Self {
        Self { length: 256, longest_wait_s: 1800.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_only_what_differs() {
        let settings: QueueSettings = serde_json::from_str(
            r#"{"weights":{"by_name":{"key:clinic":3}},"quotas":{"members":{"waiting":2,"running":1,"per_hour":{"requests":30,"at_once":5}}},"classes":{"crisis":{"members_may":true}}}"#,
        )
        .unwrap();
        assert_eq!(settings.weights.of(&Member::key("clinic")), 3.0);
        assert_eq!(settings.weights.of(&Member::key("till")), 1.0);
        assert_eq!(settings.quotas.of(&Member::cookie("a")).waiting, 2);
        assert_eq!(settings.quotas.of(&Member::key("till")).waiting, 256);
        assert_eq!(settings.admission, Admission::default());
        let back: QueueSettings = serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
        assert_eq!(back, settings);
        assert!(
            serde_json::from_str::<QueueSettings>(r#"{"weight":{}}"#).is_err(),
            "a misspelt name is told"
        );
    }

    #[test]
    fn no_weight_starves_a_member_or_everybody_else() {
        let weight = |weight| Weights { others: weight, ..Weights::default() }.of(&Member::cookie("a"));
        assert_eq!([weight(0.0), weight(-3.0), weight(1e9), weight(f64::NAN)], [0.1, 0.1, 10.0, 1.0]);
    }
}
