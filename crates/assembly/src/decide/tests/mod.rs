mod crash;
mod life;
mod property;

use banyan_governance::method::Choice;
use banyan_governance::policy::Policy;
use banyan_governance::proposal::{New, Proposal, ProposalOption, ProposalState};
use banyan_governance::{Decision, MemberId, ProposalId, Time};

use super::life::submit;
use super::rows::{self, Kept};
use super::vote::{Cast, cast};
use crate::error::AssemblyError;
use crate::in_force::InForce;
use crate::testing::World;

fn closing_words(based_on: u64) -> Decision {
    Decision::SetPolicy {
        policy: Box::new(Policy { closing: "Peace.".into(), ..Policy::default() }),
        based_on,
    }
}

fn id() -> ProposalId {
    ProposalId::from_random(4711)
}

/// The first member proposes this and begins the discussion.
async fn propose(
    world: &World,
    id: ProposalId,
    decision: Option<Decision>,
    now: Time,
) -> Result<(), AssemblyError> {
    let author = world.members[0].clone();
    world
        .change(now, move |change| {
            let constitution = InForce::load(change.tx)?.constitution.unwrap();
            let options =
                decision.map(|decision| ProposalOption { title: "Yes".into(), decision: Some(decision) });
            let options = options.into_iter().collect();
            let new =
                New { title: "Our words".into(), text: "Because.".into(), topic_if_none: None, options };
            let proposal = Proposal::draft(id, author.clone(), new, &constitution, change.now).unwrap();
            let mut kept = Kept::new(proposal);
            rows::save(change.tx, &kept)?;
            submit(change, &mut kept, &author)
        })
        .await
}

async fn votes(
    world: &World,
    id: ProposalId,
    voter: usize,
    choice: Choice,
    now: Time,
) -> Result<(), AssemblyError> {
    let voter = world.members[voter].clone();
    world
        .change(now, move |change| cast(change, &id, &Cast { voter: &voter, choice: &choice, helper: None }))
        .await
}

async fn delegates(world: &World, from: usize, to: usize, now: Time) -> Result<(), AssemblyError> {
    let (from, to) = (world.members[from].clone(), world.members[to].clone());
    world.change(now, move |change| super::delegate::give(change, &from, None, to)).await
}

async fn kept(world: &World, id: ProposalId) -> Kept {
    world.read(move |connection| rows::load(connection, &id)).await
}

async fn state(world: &World, id: ProposalId) -> ProposalState {
    kept(world, id).await.proposal.state
}

fn code(error: &AssemblyError) -> &'static str {
    use crate::error::Refusal;
    match error {
        AssemblyError::Refused(Refusal::WrongState { code, .. } | Refusal::Invalid { code, .. }) => code,
        AssemblyError::Refused(Refusal::NotYours(_)) => "not_yours",
        AssemblyError::Refused(Refusal::NotFound(_)) => "not_found",
        _ => "another error",
    }
}

/// Members by number, as `World` makes them.
fn member(number: usize) -> MemberId {
    MemberId::from_random(number as u64 + 1)
}
