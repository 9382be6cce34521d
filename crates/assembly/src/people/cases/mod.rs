//! Reports, and what follows from them: settlement, appeal, mediation. The rules are governance's
//! ([`banyan_governance::conflict`]); here is what is kept, who sees it, and the way to `enact`.
//!
//! The ledger says that there is a case, which steps were taken and by which moderator or mediator; never who reported
//! it, and no words. A sanction is a decision and stands there as one. Words and cases are erased when the policy says
//! that they are old.

mod rows;
mod view;

use banyan_governance::conflict::{About, Case, CaseError, CaseState, Settlement};
use banyan_governance::{CaseId, Enactment, MemberId, Permission, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::view::{CaseView, CaseWords, NamedMediator};
use super::session::Caller;
use super::{active_roles, random};
use crate::assembly::{Assembly, Change};
use crate::enact;
use crate::error::{AssemblyError, Refusal};

/// The longest text of one step, in characters: a page.
const MAX_WORDS: usize = 4000;
/// Reports of one member that wait at the same time. More than that is not read any faster.
const MAX_WAITING: u32 = 10;

/// A report.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReport {
    /// What it is about.
    pub about: About,
    /// Which: a member's or a comment's id; for an answer the number of its entry in the ledger, where it is known.
    #[serde(default)]
    pub reference: Option<String>,
    /// What happened.
    pub words: String,
}

/// How a moderator settles a report.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settling {
    /// What is done.
    pub action: SettlingAction,
    /// For how many hours comments are held.
    #[serde(default)]
    pub hours: Option<u32>,
    /// Why; both sides read it.
    pub words: String,
}

/// What a moderator may do alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettlingAction {
    /// Nothing.
    Dismiss,
    /// A word, written down.
    Warn,
    /// Hold comments for some hours.
    Hold,
}

/// What the ledger says of a step.
#[derive(Serialize)]
struct Step<'a> {
    case: &'a CaseId,
    step: &'static str,
    /// The moderator or mediator; sides are not named.
    by: Option<&'a MemberId>,
}

impl Assembly {
    /// Reports something to the moderators.
    pub async fn report(
        &self,
        caller: &Caller,
        report: NewReport,
        now: Time,
    ) -> Result<CaseId, AssemblyError> {
        caller.require(Permission::Report)?;
        let words = checked(&report.words)?;
        let by = caller.member.clone();
        self.change(now, move |change| {
            if rows::waiting_of(change.tx, &by)? >= MAX_WAITING {
                let message =
                    format!("{MAX_WAITING} of your reports wait for a moderator already; wait for those");
                return Err(Refusal::WrongState { code: "too_many_reports", message }.into());
            }
            let (reference, against) = rows::reported(change.tx, report.about, report.reference.as_deref())?;
            let id = CaseId::from_random(random::bits()?);
            let case = Case::report(id.clone(), report.about, reference, by.clone(), against, change.now);
            rows::insert(change, &case.map_err(|error| refused(&error))?)?;
            rows::say(change, &id, &by, &words)?;
            record(change, &id, "reported", None)?;
            Ok(id)
        })
        .await
    }

    /// What waits for a moderator, and what was settled lately; without what concerns the caller.
    pub async fn desk(&self, caller: &Caller, now: Time) -> Result<Vec<CaseView>, AssemblyError> {
        caller.require(Permission::Moderate)?;
        let moderator = caller.member.clone();
        self.read(move |connection| view::desk(connection, &moderator, now)).await
    }

    /// The cases that the caller is part of.
    pub async fn cases(&self, caller: &Caller, now: Time) -> Result<Vec<CaseView>, AssemblyError> {
        caller.require(Permission::Report)?;
        let member = caller.member.clone();
        self.read(move |connection| view::of_member(connection, &member, now)).await
    }

    /// A moderator settles a report. A sanction is in force when this returns.
    pub async fn settle_case(
        &self,
        caller: &Caller,
        id: &CaseId,
        settling: Settling,
        now: Time,
    ) -> Result<CaseView, AssemblyError> {
        caller.require(Permission::Moderate)?;
        let words = checked(&settling.words)?;
        let settlement = match (settling.action, settling.hours) {
            (SettlingAction::Dismiss, _) => Settlement::Dismiss,
            (SettlingAction::Warn, _) => Settlement::Warn,
            (SettlingAction::Hold, Some(hours)) => Settlement::Hold { hours },
            (SettlingAction::Hold, None) => {
                let message = "say for how many hours comments are held".into();
                return Err(Refusal::Invalid { field: "hours", code: "hours_needed", message }.into());
            }
        };
        let roles = caller.roles.clone();
        self.case_step(caller, id, "settled", Some(words), now, move |case, by, now| {
            case.settle(by, &roles, settlement, now)
        })
        .await
    }

    /// A side does not accept the settlement.
    pub async fn appeal(
        &self,
        caller: &Caller,
        id: &CaseId,
        words: &str,
        now: Time,
    ) -> Result<CaseView, AssemblyError> {
        caller.require(Permission::Report)?;
        let words = checked(words)?;
        self.case_step(caller, id, "appealed", Some(words), now, |case, by, now| {
            case.appeal(by, now).map(|()| None)
        })
        .await
    }

    /// A side names a mediator; with the one that both named, mediation begins.
    pub async fn name_mediator(
        &self,
        caller: &Caller,
        id: &CaseId,
        mediator: &MemberId,
        now: Time,
    ) -> Result<CaseView, AssemblyError> {
        caller.require(Permission::Report)?;
        let mediator = mediator.clone();
        let roles = self
            .read({
                let mediator = mediator.clone();
                move |connection| {
                    super::name(connection, &mediator)?;
                    active_roles(connection, &mediator, now)
                }
            })
            .await?;
        self.case_step(caller, id, "mediator_named", None, now, move |case, by, now| {
            case.name_mediator(by, &mediator, &roles, now).map(|()| None)
        })
        .await
    }

    /// The mediator writes an outcome for both sides to agree to.
    pub async fn propose_outcome(
        &self,
        caller: &Caller,
        id: &CaseId,
        words: &str,
        now: Time,
    ) -> Result<CaseView, AssemblyError> {
        caller.require(Permission::Mediate)?;
        let words = checked(words)?;
        self.case_step(caller, id, "outcome", Some(words), now, |case, by, now| {
            case.propose_outcome(by, now).map(|()| None)
        })
        .await
    }

    /// A side agrees to the outcome.
    pub async fn agree_to_outcome(
        &self,
        caller: &Caller,
        id: &CaseId,
        now: Time,
    ) -> Result<CaseView, AssemblyError> {
        caller.require(Permission::Report)?;
        self.case_step(caller, id, "agreed", None, now, |case, by, now| case.agree(by, now)).await
    }

    /// Takes a report back, or gives up on an appeal or a mediation.
    pub async fn close_case(
        &self,
        caller: &Caller,
        id: &CaseId,
        now: Time,
    ) -> Result<CaseView, AssemblyError> {
        caller.require(Permission::Report)?;
        self.case_step(caller, id, "closed", None, now, |case, by, now| {
            let closed = if case.state == CaseState::Reported {
                case.withdraw(by, now)
            } else {
                case.give_up(by, now)
            };
            closed.map(|()| None)
        })
        .await
    }

    /// Closes what nobody appealed against, and erases what is old; gives how many were erased. May be called at any
    /// time and as often as one likes.
    pub async fn sweep_cases(&self, now: Time) -> Result<usize, AssemblyError> {
        let keep_days = self.in_force().policy.keeping.moderation_days;
        self.change(now, move |change| rows::sweep(change, keep_days)).await
    }

    /// One step of a case: governance decides, the ledger records, `enact` does what follows.
    async fn case_step(
        &self,
        caller: &Caller,
        id: &CaseId,
        step: &'static str,
        words: Option<String>,
        now: Time,
        take: impl FnOnce(&mut Case, &MemberId, Time) -> Result<Option<Enactment>, CaseError> + Send + 'static,
    ) -> Result<CaseView, AssemblyError> {
        let (by, id) = (caller.member.clone(), id.clone());
        let is_moderator = caller.may(Permission::Moderate);
        self.change(now, move |change| {
            let mut case = rows::load(change.tx, &id)?;
            case.expire(change.now);
            // Whoever may not see it does not learn that it is there.
            let may_see = view::sees(&case, &by) || (is_moderator && view::is_on_desk_of(&case, &by));
            if !may_see {
                return Err(Refusal::NotFound("case").into());
            }
            let enactment = take(&mut case, &by, change.now).map_err(|error| refused(&error))?;
            rows::update(change, &case)?;
            if let Some(words) = &words {
                rows::say(change, &id, &by, words)?;
            }
            let in_office = case.moderator.as_ref() == Some(&by) || case.mediator.as_ref() == Some(&by);
            record(change, &id, step, in_office.then_some(&by))?;
            if let Some(enactment) = enactment {
                match enact::try_enact(change, &enactment)? {
                    Ok(_) => {}
                    // The sanction that an agreement takes the place of may be over already.
                    Err(Refusal::WrongState { code: "no_sanction", .. }) => {}
                    Err(refusal) => return Err(refusal.into()),
                }
            }
            view::one(change.tx, &case, &by)
        })
        .await
    }
}

fn record(
    change: &Change<'_>,
    case: &CaseId,
    step: &'static str,
    by: Option<&MemberId>,
) -> Result<(), AssemblyError> {
    change.record("case", &Step { case, step, by })?;
    Ok(())
}

fn checked(words: &str) -> Result<String, Refusal> {
    let words = words.trim();
    let length = words.chars().count();
    if (1..=MAX_WORDS).contains(&length) {
        return Ok(words.to_owned());
    }
    let message = format!("a few words are needed here, {MAX_WORDS} characters at most");
    Err(Refusal::Invalid { field: "words", code: "words_length", message })
}

/// A rule's no, in the assembly's words.
fn refused(error: &CaseError) -> Refusal {
    let message = error.to_string();
    match error {
        CaseError::WrongState { .. } => Refusal::WrongState { code: "wrong_state", message },
        CaseError::TooLate => Refusal::WrongState { code: "too_late", message },
        CaseError::NoOutcome => Refusal::WrongState { code: "no_outcome", message },
        CaseError::NotTheRole("moderator") => Refusal::NotAllowed(Permission::Moderate),
        CaseError::NotTheRole(_) => Refusal::Invalid { field: "mediator", code: "not_a_mediator", message },
        CaseError::NotNeutral => Refusal::Invalid { field: "mediator", code: "not_neutral", message },
        CaseError::TooHigh(_) => Refusal::Invalid { field: "hours", code: "beyond_authority", message },
        CaseError::NobodyReported => Refusal::Invalid { field: "action", code: "nobody_reported", message },
        CaseError::Yourself => Refusal::Invalid { field: "reference", code: "yourself", message },
        CaseError::OwnCase => {
            Refusal::NotYours("you are a side of this case yourself, so another moderator has to settle it")
        }
        CaseError::NotASide => Refusal::NotYours("only the sides of a case can do this, and you are none"),
        CaseError::NotTheMediator => Refusal::NotYours("only the mediator whom both sides chose can do this"),
    }
}
