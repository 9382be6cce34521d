//! The steps of a proposal.

use crate::constitution::Constitution;
use crate::decision::{Decision, Topic};
use crate::enactment::{Authority, Enactment};
use crate::ids::{MemberId, ProposalId};
use crate::proposal::shape::{self, New};
use crate::proposal::{Amendment, Proposal, ProposalError, ProposalState};
use crate::tally::{Outcome, Verdict};
use crate::time::Time;

/// Wordings that one proposal may go through; each is kept for ever, and nobody follows more.
const MAX_AMENDMENTS: usize = 30;

/// Characters of the reason for an amendment.
const MAX_REASON: usize = 500;

/// A step that the rule asks for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Discussion is over: [`Proposal::open`].
    Open,
    /// The vote is over: [`Proposal::close`].
    Close,
}

/// What the author does.
impl Proposal {
    /// Begins a proposal that only its author sees.
    pub fn draft(
        id: ProposalId,
        author: MemberId,
        new: New,
        constitution: &Constitution,
        now: Time,
    ) -> Result<Self, ProposalError> {
        new.check()?;
        let topic = new.topic();
        let rule = shape::rule_for(constitution, topic, &new.options)?;
        Ok(Self {
            id,
            author,
            title: new.title,
            text: new.text,
            topic,
            options: new.options,
            rule,
            state: ProposalState::Draft,
            created: now,
            submitted: None,
            opened: None,
            closed: None,
            review: None,
            amendments: Vec::new(),
            accepted: None,
            not_enacted: None,
        })
    }

    /// Puts another wording in place. A draft is just changed; once others discuss it, the wording before is kept with
    /// the reason, and the hours of discussion begin again.
    pub fn amend(&mut self, by: &MemberId, new: New, reason: &str, now: Time) -> Result<(), ProposalError> {
        self.is_by(by)?;
        let topic = match self.state {
            ProposalState::Draft | ProposalState::Discussion => new.topic(),
            state => {
                let remedy = "write down in a comment what should be different, and propose it next";
                return Err(ProposalError::WrongState { state, remedy });
            }
        };
        new.check()?;
        if self.state == ProposalState::Discussion {
            self.record_amendment(&new, topic, reason, now)?;
        }
        (self.title, self.text, self.topic, self.options) = (new.title, new.text, topic, new.options);
        Ok(())
    }

    fn record_amendment(
        &mut self,
        new: &New,
        topic: Topic,
        reason: &str,
        now: Time,
    ) -> Result<(), ProposalError> {
        shape::text("the reason", reason, MAX_REASON)?;
        let binds = shape::topic_of(&new.options).is_some();
        // What bound nobody may have been given another method by its shape; see `shape::rule_for`.
        let bound = shape::topic_of(&self.options).is_some();
        if topic != self.topic
            || binds != bound
            || shape::check_count(&self.rule.method, topic, new.options.len()).is_err()
        {
            return Err(ProposalError::AnotherProposal { topic: self.topic, wanted: topic });
        }
        if self.amendments.len() >= MAX_AMENDMENTS {
            return Err(ProposalError::TooOften(self.amendments.len()));
        }
        self.amendments.push(Amendment {
            at: now,
            reason: reason.trim().to_owned(),
            title: self.title.clone(),
            text: self.text.clone(),
            options: self.options.clone(),
        });
        Ok(())
    }

    /// Shows it to everybody and begins discussion. From here on the method is fixed, as `constitution` has it now.
    pub fn submit(
        &mut self,
        by: &MemberId,
        constitution: &Constitution,
        now: Time,
    ) -> Result<(), ProposalError> {
        self.is_by(by)?;
        self.is_in(ProposalState::Draft, "it was submitted already")?;
        shape::check_options(&self.options)?;
        self.rule = shape::rule_for(constitution, self.topic, &self.options)?;
        self.submitted = Some(now);
        self.state = ProposalState::Discussion;
        Ok(())
    }

    /// Takes it back, as long as it is not decided. What was said and voted until then stays on record.
    pub fn withdraw(&mut self, by: &MemberId, now: Time) -> Result<(), ProposalError> {
        self.is_by(by)?;
        match self.state {
            ProposalState::Draft | ProposalState::Discussion | ProposalState::Open => {
                self.closed = Some(now);
                self.state = ProposalState::Withdrawn;
                Ok(())
            }
            state => Err(ProposalError::WrongState { state, remedy: "propose the opposite to undo it" }),
        }
    }
}

/// What the box does when the rule asks for it.
impl Proposal {
    /// Whether the rule asks for a step by now. A vote is over when its longest time is, or earlier when everybody has
    /// voted and its shortest time is over.
    #[must_use]
    pub fn due(&self, now: Time, everybody_voted: bool) -> Option<Step> {
        match self.state {
            ProposalState::Discussion => (self.opens_earliest()? <= now).then_some(Step::Open),
            ProposalState::Open => {
                let least = self.opened?.plus_hours(self.rule.min_open_hours);
                let over = self.closes()? <= now || (everybody_voted && least <= now);
                over.then_some(Step::Close)
            }
            _ => None,
        }
    }

    /// Opens the vote, once the wording as it stands was discussed long enough.
    pub fn open(&mut self, now: Time) -> Result<(), ProposalError> {
        self.is_in(ProposalState::Discussion, "submit a draft first; a vote opens once")?;
        match self.opens_earliest() {
            Some(until) if now < until => Err(ProposalError::StillDiscussed { until }),
            _ => {
                self.opened = Some(now);
                self.state = ProposalState::Open;
                Ok(())
            }
        }
    }

    /// Closes the vote with its result. What was accepted and carries a decision gives the [`Enactment`], once. Does
    /// nothing where closing is not [`due`](Self::due): the vote is not open, or its time is not over and somebody has
    /// not voted yet.
    pub fn close(&mut self, outcome: &Outcome, now: Time) -> Option<Enactment> {
        let everybody_voted = outcome.taking_part >= outcome.electorate;
        if self.state != ProposalState::Open || self.due(now, everybody_voted) != Some(Step::Close) {
            return None;
        }
        self.closed = Some(now);
        (self.state, self.accepted) = match outcome.verdict {
            // A sense check has no options, and no other method accepts one that is not there.
            Verdict::Accepted { option } if usize::from(option) < self.options.len() => {
                (ProposalState::Passed, Some(option))
            }
            Verdict::Accepted { .. } | Verdict::Rejected { .. } => (ProposalState::Failed, None),
            Verdict::Sensed => (ProposalState::Sensed, None),
        };
        let enactment = self.enactment();
        if self.state == ProposalState::Passed && enactment.is_none() {
            self.review = self.rule.review_days.map(|days| now.plus_days(days));
        }
        enactment
    }

    /// What is still to be enacted, after a crash between the close of a vote and its enactment.
    #[must_use]
    pub fn enactment(&self) -> Option<Enactment> {
        let decision = self.decided()?.clone();
        let waits = self.state == ProposalState::Passed && self.not_enacted.is_none();
        waits.then(|| Enactment::new(decision, Authority::Proposal { proposal: self.id.clone() }))
    }

    /// Writes down that the decision is in force.
    pub fn enacted(&mut self, now: Time) {
        if self.enactment().is_some() {
            self.state = ProposalState::Enacted;
            self.review = self.rule.review_days.map(|days| now.plus_days(days));
        }
    }

    /// Writes down that the decision cannot be put in force and why. It stays passed; who still wants it proposes it
    /// anew.
    pub fn cannot_be_enacted(&mut self, why: &str) {
        if self.enactment().is_some() {
            self.not_enacted = Some(why.to_owned());
        }
    }
}

/// What can be read off it.
impl Proposal {
    /// Whether votes are taken.
    #[must_use]
    pub fn accepts_ballots(&self) -> bool {
        self.state == ProposalState::Open
    }

    /// When the vote opens at the earliest; absent in a draft.
    #[must_use]
    pub fn opens_earliest(&self) -> Option<Time> {
        let since = self.amendments.last().map(|amendment| amendment.at).max(self.submitted);
        self.submitted.and(since).map(|since| since.plus_hours(self.rule.discussion_hours))
    }

    /// When the vote closes at the latest; absent before it opens.
    #[must_use]
    pub fn closes(&self) -> Option<Time> {
        // Never before the least time, whatever an old rule says.
        let hours = self.rule.max_open_hours.max(self.rule.min_open_hours);
        self.opened.map(|opened| opened.plus_hours(hours))
    }

    /// Of these members, those who have a vote: all but whom a decision in it takes something from or gives it back to
    /// (see [`Decision::concerns`]). So a recall works against a steward who would object to it.
    #[must_use]
    pub fn voters(&self, members: &[MemberId]) -> Vec<MemberId> {
        members.iter().filter(|member| !self.concerns(member)).cloned().collect()
    }

    /// Whether it is about this member in such a way that they have no vote.
    #[must_use]
    pub fn concerns(&self, member: &MemberId) -> bool {
        self.options
            .iter()
            .filter_map(|option| option.decision.as_ref()?.concerns())
            .any(|concerned| concerned == member)
    }

    /// The decision that was accepted.
    #[must_use]
    pub fn decided(&self) -> Option<&Decision> {
        self.options.get(usize::from(self.accepted?))?.decision.as_ref()
    }

    fn is_by(&self, member: &MemberId) -> Result<(), ProposalError> {
        if self.author == *member { Ok(()) } else { Err(ProposalError::NotTheAuthor) }
    }

    fn is_in(&self, state: ProposalState, remedy: &'static str) -> Result<(), ProposalError> {
        if self.state == state {
            Ok(())
        } else {
            Err(ProposalError::WrongState { state: self.state, remedy })
        }
    }
}
