//! Constitution kits: whole, tested beginnings, of which a community chooses one at first start and changes what it
//! likes by decision afterwards.
//!
//! | kit | power | everyday matters | people | the constitution itself |
//! |---|---|---|---|---|
//! | `circle` | consensus | consent, at once when all have voted | three quarters | consent |
//! | `council` | delegated | majority after a day of discussion, votes can be handed on | majority, secret | two thirds |
//! | `commons` | hybrid | majority, at once when all have voted, votes can be handed on | two thirds, secret | consent |
//!
//! None has a quorum: a group decides by who takes part, until it decides otherwise. Nobody has a vote on what is taken
//! from them (see [`Decision::concerns`]), and no kit leaves people to consent, where one friend of a steward would
//! stop a recall.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::constitution::{
    Constitution, DelegationRule, EmergencyPower, EmergencyRule, GovernanceModel, Joining,
};
use crate::decision::{Decision, SourceUse, Topic};
use crate::enactment::{Authority, Enactment};
use crate::ids::MemberId;
use crate::method::{Method, MethodRule};
use crate::policy::{Policy, PolicyError};
use crate::roles::Role;

/// A beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kit {
    /// Its name for programs.
    pub name: &'static str,
    /// Its name for people, in English.
    pub title: &'static str,
    /// What it is like and for whom, in English.
    pub about: &'static str,
    /// How decisions are made.
    pub constitution: Constitution,
    /// How the assistant behaves.
    pub policy: Policy,
}

impl Kit {
    /// The same with words of the community's own at the end of each answer.
    pub fn with_greeting(mut self, greeting: &str) -> Result<Self, PolicyError> {
        greeting.trim().clone_into(&mut self.policy.closing);
        self.policy.check()?;
        Ok(self)
    }
}

/// All kits, the one for the smallest groups first.
#[must_use]
pub fn all() -> &'static [Kit] {
    static ALL: OnceLock<Vec<Kit>> = OnceLock::new();
    ALL.get_or_init(|| vec![circle(), council(), commons()])
}

/// The kit of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kit> {
    all().iter().find(|kit| kit.name == name)
}

/// What is in force from the first moment on: the kit's policy and constitution, its founder as the first steward, and
/// the sources that answers rested on before, which may go on. The gate takes these only from a box that nobody has
/// founded, since policy and constitution are written from version 0.
#[must_use]
pub fn found(kit: &Kit, founder: &MemberId, sources: &[String]) -> Vec<Enactment> {
    // Sources first: once there is a constitution, a founding approves none.
    let sources = sources.iter().cloned();
    let approved = sources.map(|source| Decision::ApproveSource { source, r#use: SourceUse::Grounding });
    let beginning = [
        Decision::SetPolicy { policy: Box::new(kit.policy.clone()), based_on: 0 },
        Decision::ChangeConstitution { constitution: Box::new(kit.constitution.clone()), based_on: 0 },
        Decision::GrantRole { member: founder.clone(), role: Role::Steward, days: None },
    ];
    approved
        .chain(beginning)
        .map(|decision| Enactment::new(decision, Authority::Founding { kit: kit.name.to_owned() }))
        .collect()
}

/// A rule without a quorum.
fn rule(method: Method, secret: bool, discussion_hours: u32, open_hours: (u32, u32)) -> MethodRule {
    let (min_open_hours, max_open_hours) = open_hours;
    let review_days = None;
    MethodRule {
        method,
        secret,
        quorum_percent: None,
        discussion_hours,
        min_open_hours,
        max_open_hours,
        review_days,
    }
}

/// What stewards may do alone: a day at most, and the community has three to look at it.
fn emergency(stewards: u8) -> Option<EmergencyRule> {
    use EmergencyPower::{CloseToGuests, CrisisPriority, PauseAnswers};
    let powers = vec![PauseAnswers, CloseToGuests, CrisisPriority];
    Some(EmergencyRule { max_hours: 24, ratify_hours: 72, stewards, powers })
}

fn policy() -> Policy {
    let mut policy = Policy { style: "Plain words and short sentences.".to_owned(), ..Policy::default() };
    policy.quotas.urgent = true;
    policy.sample_questions = vec![
        "Who are you, and who decides what you may say?".to_owned(),
        "How can I help my neighbours?".to_owned(),
    ];
    policy
}

fn circle() -> Kit {
    let quick = rule(Method::Consent, false, 0, (0, 48));
    Kit {
        name: "circle",
        title: "Circle",
        about: "For groups who know each other. Something is decided when nobody has a reasoned objection: good enough \
                for now, safe enough to try. When everybody has spoken, it is decided at once.",
        constitution: Constitution {
            governance_model: GovernanceModel::Consensus,
            rules: BTreeMap::from([
                (Topic::Behaviour, MethodRule { review_days: Some(90), ..quick.clone() }),
                (Topic::People, rule(Method::SuperMajority { percent: 75 }, false, 24, (1, 168))),
                (Topic::Neighbours, rule(Method::Consent, false, 24, (1, 168))),
                (Topic::Constitution, rule(Method::Consent, false, 72, (24, 336))),
                (Topic::Other, rule(Method::SenseCheck, false, 0, (0, 48))),
            ]),
            otherwise: quick,
            joining: Joining { open: false, members_invite: true, guests_ask: false },
            delegation: None,
            emergency: emergency(2),
        },
        policy: policy(),
    }
}

fn council() -> Kit {
    let everyday = rule(Method::Majority, false, 24, (1, 120));
    Kit {
        name: "council",
        title: "Council",
        about: "For larger groups. Members hand their vote on a topic to somebody they trust, and take it back whenever \
                they like. The majority decides after a day of discussion; the rules themselves need two thirds.",
        constitution: Constitution {
            governance_model: GovernanceModel::Delegated,
            rules: BTreeMap::from([
                (Topic::Behaviour, MethodRule { review_days: Some(180), ..everyday.clone() }),
                (Topic::People, rule(Method::Majority, true, 48, (24, 168))),
                (Topic::Operation, rule(Method::Majority, false, 0, (0, 48))),
                (Topic::Constitution, rule(Method::SuperMajority { percent: 67 }, false, 72, (24, 336))),
                (Topic::Other, rule(Method::SenseCheck, false, 0, (0, 72))),
            ]),
            otherwise: everyday,
            joining: Joining { open: false, members_invite: false, guests_ask: false },
            delegation: Some(DelegationRule { max_length: 3, max_votes: Some(20) }),
            emergency: emergency(2),
        },
        policy: policy(),
    }
}

fn commons() -> Kit {
    let everyday = rule(Method::Majority, false, 0, (0, 72));
    let by_consent = rule(Method::Consent, false, 72, (24, 336));
    Kit {
        name: "commons",
        title: "Commons",
        about: "For a place that is open to everybody, such as a library. Everyday matters are decided by majority, \
                what is fundamental only when nobody objects. Guests may ask; who is there may join.",
        constitution: Constitution {
            governance_model: GovernanceModel::Hybrid,
            rules: BTreeMap::from([
                (Topic::Behaviour, MethodRule { review_days: Some(90), ..everyday.clone() }),
                (Topic::People, rule(Method::SuperMajority { percent: 67 }, true, 24, (1, 168))),
                (Topic::Operation, rule(Method::Majority, false, 0, (0, 48))),
                (Topic::Neighbours, by_consent.clone()),
                (Topic::Constitution, by_consent),
                (Topic::Other, rule(Method::SenseCheck, false, 0, (0, 48))),
            ]),
            otherwise: everyday,
            joining: Joining { open: true, members_invite: true, guests_ask: true },
            delegation: Some(DelegationRule { max_length: 2, max_votes: None }),
            emergency: emergency(1),
        },
        policy: policy(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn founder() -> MemberId {
        MemberId::from_random(7)
    }

    #[test]
    fn each_kit_can_work_and_says_whom_it_is_for() {
        for kit in all() {
            assert_eq!(kit.constitution.check(), Ok(()), "{}", kit.name);
            assert_eq!(kit.policy.check(), Ok(()), "{}", kit.name);
            assert_eq!(find(kit.name), Some(kit));
            assert!(kit.about.starts_with("For "), "{}", kit.name);
        }
        let models = all().iter().map(|kit| format!("{:?}", kit.constitution.governance_model));
        assert_eq!(models.collect::<Vec<_>>(), ["Consensus", "Delegated", "Hybrid"]);
    }

    #[test]
    fn no_kit_has_a_quorum_or_leaves_people_to_consent() {
        for kit in all() {
            for topic in Topic::ALL {
                assert_eq!(kit.constitution.rule(topic).quorum_percent, None, "{} {topic:?}", kit.name);
            }
            let people = &kit.constitution.rule(Topic::People).method;
            assert!(!matches!(people, Method::Consent | Method::Consensus), "{}", kit.name);
        }
    }

    #[test]
    fn the_constitution_is_never_changed_in_a_hurry() {
        for kit in all() {
            let rule = kit.constitution.rule(Topic::Constitution);
            assert!(rule.discussion_hours >= 72 && rule.min_open_hours >= 24, "{}", kit.name);
        }
    }

    #[test]
    fn a_founding_sets_policy_constitution_and_one_steward() {
        for kit in all() {
            let enactments = found(kit, &founder(), &["k-0123456789".to_owned()]);
            assert!(
                enactments
                    .iter()
                    .all(|enactment| *enactment.authority()
                        == Authority::Founding { kit: kit.name.to_owned() })
            );
            let decisions: Vec<_> = enactments.iter().map(Enactment::decision).collect();
            assert!(matches!(decisions[1], Decision::SetPolicy { based_on: 0, .. }));
            assert!(matches!(decisions[2], Decision::ChangeConstitution { based_on: 0, .. }));
            assert!(matches!(decisions[3], Decision::GrantRole { member, role: Role::Steward, days: None }
                if *member == founder()));
            assert!(matches!(decisions[0], Decision::ApproveSource { source, r#use: SourceUse::Grounding }
                if source == "k-0123456789"));
            assert_eq!(decisions.len(), 4);
            assert!(decisions.iter().all(|decision| decision.check().is_ok()));
        }
    }

    #[test]
    fn a_founder_can_give_the_greeting_but_not_a_page_of_it() {
        let kit = find("circle").unwrap().clone().with_greeting(" Peace be with you! ").unwrap();
        assert_eq!(kit.policy.closing, "Peace be with you!");
        assert!(find("circle").unwrap().clone().with_greeting(&"long ".repeat(200)).is_err());
    }
}
