//! The steps of a case. Each says who may take it, and leaves a line in the record.

use std::collections::{BTreeMap, BTreeSet};

use crate::conflict::{APPEAL_DAYS, About, Case, CaseAct, CaseError, CaseState, CaseStep, Settlement};
use crate::decision::{Decision, SanctionStep};
use crate::enactment::{Authority, Enactment};
use crate::ids::{CaseId, MemberId};
use crate::roles::Role;
use crate::time::Time;

impl Case {
    /// Begins a case.
    pub fn report(
        id: CaseId,
        about: About,
        reference: Option<String>,
        reporter: MemberId,
        against: Option<MemberId>,
        now: Time,
    ) -> Result<Self, CaseError> {
        if against.as_ref() == Some(&reporter) {
            return Err(CaseError::Yourself);
        }
        let record = vec![CaseStep { by: Some(reporter.clone()), at: now, act: CaseAct::Reported }];
        Ok(Self {
            id,
            about,
            reference,
            reporter,
            against,
            state: CaseState::Reported,
            moderator: None,
            sanction: None,
            named: BTreeMap::new(),
            mediator: None,
            has_outcome: false,
            agreed: BTreeSet::new(),
            created: now,
            record,
        })
    }

    /// Takes a report back before anybody settled it.
    pub fn withdraw(&mut self, by: &MemberId, now: Time) -> Result<(), CaseError> {
        self.is_in(CaseState::Reported, "a moderator has settled it")?;
        if self.reporter != *by {
            return Err(CaseError::NotASide);
        }
        self.step(Some(by), CaseAct::Withdrew, now);
        self.state = CaseState::Closed;
        Ok(())
    }

    /// A moderator settles it. A sanction gives the [`Enactment`] for the one gate.
    pub fn settle(
        &mut self,
        moderator: &MemberId,
        roles: &BTreeSet<Role>,
        settlement: Settlement,
        now: Time,
    ) -> Result<Option<Enactment>, CaseError> {
        self.is_in(CaseState::Reported, "it was settled already; whoever disagrees can appeal")?;
        if !roles.contains(&Role::Moderator) {
            return Err(CaseError::NotTheRole("moderator"));
        }
        if self.reporter == *moderator || self.against.as_ref() == Some(moderator) {
            return Err(CaseError::OwnCase);
        }
        let step = match settlement {
            Settlement::Dismiss => None,
            Settlement::Warn => Some(SanctionStep::Warning),
            Settlement::Hold { hours } => Some(SanctionStep::Hold { hours }),
        };
        if let Some(SanctionStep::Hold { hours }) = step
            && (hours == 0 || !SanctionStep::Hold { hours }.is_for_moderators())
        {
            return Err(CaseError::TooHigh(hours));
        }
        let enactment = match (step, &self.against) {
            (None, _) => None,
            (Some(_), None) => return Err(CaseError::NobodyReported),
            (Some(step), Some(member)) => Some(Enactment::new(
                Decision::Sanction { member: member.clone(), step, case: Some(self.id.clone()) },
                Authority::Moderation { moderator: moderator.clone(), case: self.id.clone() },
            )),
        };
        let act = if step.is_some() { CaseAct::Sanctioned } else { CaseAct::Dismissed };
        self.step(Some(moderator), act, now);
        self.moderator = Some(moderator.clone());
        self.sanction = step;
        self.state = CaseState::Settled;
        Ok(enactment)
    }

    /// A side does not accept the settlement.
    pub fn appeal(&mut self, by: &MemberId, now: Time) -> Result<(), CaseError> {
        self.is_in(CaseState::Settled, "an appeal follows a moderator's settlement, once")?;
        self.is_side(by)?;
        if self.is_due(now) {
            return Err(CaseError::TooLate);
        }
        self.step(Some(by), CaseAct::Appealed, now);
        self.state = CaseState::Appealed;
        Ok(())
    }

    /// A side names a mediator; once all sides name the same, mediation begins. `their_roles` are the roles of who is
    /// named.
    pub fn name_mediator(
        &mut self,
        by: &MemberId,
        mediator: &MemberId,
        their_roles: &BTreeSet<Role>,
        now: Time,
    ) -> Result<(), CaseError> {
        self.is_in(CaseState::Appealed, "a mediator is chosen after an appeal")?;
        self.is_side(by)?;
        if !their_roles.contains(&Role::Mediator) {
            return Err(CaseError::NotTheRole("mediator"));
        }
        if self.sides().contains(mediator) || self.moderator.as_ref() == Some(mediator) {
            return Err(CaseError::NotNeutral);
        }
        self.step(Some(by), CaseAct::NamedMediator, now);
        self.named.insert(by.clone(), mediator.clone());
        if self.sides().iter().all(|side| self.named.get(side) == Some(mediator)) {
            self.mediator = Some(mediator.clone());
            self.state = CaseState::Mediation;
        }
        Ok(())
    }

    /// The mediator puts an outcome on the table. Whoever agreed to an earlier one has to look again.
    pub fn propose_outcome(&mut self, by: &MemberId, now: Time) -> Result<(), CaseError> {
        self.is_in(CaseState::Mediation, "an outcome is written in a mediation")?;
        if self.mediator.as_ref() != Some(by) {
            return Err(CaseError::NotTheMediator);
        }
        self.step(Some(by), CaseAct::ProposedOutcome, now);
        self.has_outcome = true;
        self.agreed.clear();
        Ok(())
    }

    /// A side agrees to the outcome. When all have, the case is over, and what is left of the moderator's sanction is
    /// lifted: the agreement stands in its place.
    pub fn agree(&mut self, by: &MemberId, now: Time) -> Result<Option<Enactment>, CaseError> {
        self.is_in(CaseState::Mediation, "an outcome is agreed to in a mediation")?;
        self.is_side(by)?;
        if !self.has_outcome {
            return Err(CaseError::NoOutcome);
        }
        if self.agreed.insert(by.clone()) {
            self.step(Some(by), CaseAct::Agreed, now);
        }
        if !self.sides().is_subset(&self.agreed) {
            return Ok(None);
        }
        self.state = CaseState::Agreed;
        // A warning is a word that was said; only what goes on can be lifted.
        Ok(match (&self.against, self.sanction) {
            (Some(member), Some(step)) if step != SanctionStep::Warning => Some(Enactment::new(
                Decision::LiftSanction { member: member.clone() },
                Authority::Mediation { case: self.id.clone() },
            )),
            _ => None,
        })
    }

    /// A side or the mediator gives up on an agreement: the settlement stands. What is still wrong can be proposed.
    pub fn give_up(&mut self, by: &MemberId, now: Time) -> Result<(), CaseError> {
        if !matches!(self.state, CaseState::Appealed | CaseState::Mediation) {
            let remedy = "there is no appeal or mediation to give up";
            return Err(CaseError::WrongState { state: self.state, remedy });
        }
        if self.mediator.as_ref() != Some(by) {
            self.is_side(by)?;
        }
        self.step(Some(by), CaseAct::GaveUp, now);
        self.state = CaseState::Closed;
        Ok(())
    }

    /// Whether time closes it by now, since nobody appealed.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        let settled = self.record.last().map_or(self.created, |step| step.at);
        self.state == CaseState::Settled && settled.plus_days(APPEAL_DAYS) <= now
    }

    /// Closes it where that is due; says whether it was.
    pub fn expire(&mut self, now: Time) -> bool {
        let is_due = self.is_due(now);
        if is_due {
            self.step(None, CaseAct::Expired, now);
            self.state = CaseState::Closed;
        }
        is_due
    }

    /// The sides: who reported, and who is reported, or else who settled it.
    #[must_use]
    pub fn sides(&self) -> BTreeSet<MemberId> {
        let other = self.against.as_ref().or(self.moderator.as_ref());
        [&self.reporter].into_iter().chain(other).cloned().collect()
    }

    /// Whether this member may see it, moderators apart: as a side, as the one who settled it, or as its mediator.
    #[must_use]
    pub fn involves(&self, member: &MemberId) -> bool {
        self.sides().contains(member)
            || self.moderator.as_ref() == Some(member)
            || self.mediator.as_ref() == Some(member)
            || self.named.values().any(|named| named == member)
    }

    fn is_in(&self, state: CaseState, remedy: &'static str) -> Result<(), CaseError> {
        if self.state == state { Ok(()) } else { Err(CaseError::WrongState { state: self.state, remedy }) }
    }

    fn is_side(&self, member: &MemberId) -> Result<(), CaseError> {
        if self.sides().contains(member) { Ok(()) } else { Err(CaseError::NotASide) }
    }

    fn step(&mut self, by: Option<&MemberId>, act: CaseAct, now: Time) {
        self.record.push(CaseStep { by: by.cloned(), at: now, act });
    }
}
