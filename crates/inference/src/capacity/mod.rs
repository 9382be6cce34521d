//! How many members a machine serves: computed, by the engine's own scheduler on a clock of paper.
//!
//! What a run costs is given ([`Costs`]), measured on one machine and scaled to another by whoever asks; who asks when is
//! drawn at random from [`Habits`]. The largest number of members whose first token comes in time is searched for.
//!
//! Deliberately absent: the network, the portal's queue, guesses (speculation), and prefixes beyond the shared policy; all but
//! the first make a real box better than this one.

mod crowd;

use crate::scheduler::Limits;
use crowd::Crowd;

/// What runs of the graph take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Any run: all weights are read.
    pub run: f64,
    /// And each token of an answer in it.
    pub token: f64,
    /// Or each token of a prompt.
    pub prompt_token: f64,
    /// And each token that the rows in it hold.
    pub held: f64,
}

impl Costs {
    fn decode(&self, rows: usize, held: usize) -> f64 {
        self.run + self.token * rows as f64 + self.held * held as f64
    }

    fn prefill(&self, tokens: usize, held: usize) -> f64 {
        self.run + self.prompt_token * tokens as f64 + self.held * held as f64
    }
}

/// How members ask.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// Mean seconds between an answer and the next question.
    pub think_s: f64,
    /// Tokens of a policy that is the same for all, and computed already.
    pub policy: usize,
    /// Fewest and most tokens of a question beyond the policy.
    pub question: (usize, usize),
    /// Fewest and most tokens of an answer.
    pub answer: (usize, usize),
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Served {
    /// Members whose first token comes in time, at the 95th percentile.
    pub members: usize,
    /// Tokens a second of each answer under way, with that many members.
    pub pace: f64,
    /// Tokens a second of all answers together.
    pub throughput: f64,
}

/// No more members are tried: a box has no more neighbours.
const MOST: usize = 8192;

/// The most members that are served with their first token within `within_s`.
pub fn members_served(costs: &Costs, limits: &Limits, habits: &Habits, within_s: f64) -> Served {
    let served = |members: usize| {
        let crowd = Crowd::new(costs, limits, habits, members);
        crowd.live(within_s).map(|(pace, throughput)| Served { members, pace, throughput })
    };
    let nobody = Served { members: 0, pace: 0.0, throughput: 0.0 };
    let Some(mut best) = served(1) else { return nobody };
    let mut too_many = 2;
    while too_many <= MOST {
        match served(too_many) {
            Some(found) => best = found,
            None => break,
        }
        too_many *= 2;
    }
    // To a twentieth: the draws of the crowd matter more than that.
    while too_many - best.members > (best.members / 20).max(1) && best.members < MOST {
        let middle = usize::midpoint(best.members, too_many);
        match served(middle) {
            Some(found) => best = found,
            None => too_many = middle,
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const HABITS: Habits = Habits { think_s: 20.0, policy: 100, question: (20, 100), answer: (10, 40) };

    fn limits(slots: usize) -> Limits {
        Limits {
            slots,
            capacity: 1024,
            row_tokens: slots * 300,
            max_waiting: usize::MAX,
            chunk: 128,
            longest_stall: 400_000,
            compact: true,
        }
    }

    const COSTS: Costs = Costs { run: 0.02, token: 0.005, prompt_token: 0.004, held: 2e-6 };

    #[test]
    fn a_machine_of_twice_the_speed_serves_about_twice_as_many() {
        let faster = Costs { run: 0.01, token: 0.0025, prompt_token: 0.002, held: 1e-6 };
        let (one, two) = (
            members_served(&COSTS, &limits(32), &HABITS, 5.0),
            members_served(&faster, &limits(32), &HABITS, 5.0),
        );
        assert!(one.members >= 8, "{one:?}");
        let ratio = two.members as f64 / one.members as f64;
        assert!((1.6..2.8).contains(&ratio), "{one:?} {two:?}");
    }

    #[test]
    fn what_is_served_is_no_more_than_what_is_asked_and_than_what_the_machine_can() {
        let served = members_served(&COSTS, &limits(32), &HABITS, 5.0);
        let most = 32.0 / COSTS.decode(32, 32 * 100);
        assert!(served.throughput < most, "{served:?}, at most {most}");
        assert!(served.pace <= 1.0 / COSTS.decode(1, 0), "{served:?}");
    }

    #[test]
    fn a_machine_too_slow_for_one_serves_nobody() {
        let slow = Costs { prompt_token: 1.0, ..COSTS };
        assert_eq!(members_served(&slow, &limits(4), &HABITS, 5.0).members, 0);
    }
}
