//! The members who wait in one class, in a ring: each has one seat, and its requests wait behind each other there.
//!
//! Who is next is decided in two steps. First by *level*: how many answers a member has running for its weight;
//! whoever has nothing running goes before whoever has. Then by the ring: from its head on, each seat gets as many
//! turns as its weight says and goes to the tail. A seat whose answer ends goes to the tail too, so a second request
//! never profits from how long ago it was sent.
//!
//! A newcomer sits down at the tail and nobody is ever put before a seat with nothing running: its place cannot grow.

use std::collections::VecDeque;

use super::{Member, TicketId};

/// One member's seat.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) member: Member,
    pub(super) weight: f64,
    /// The most answers that may run at a time.
    pub(super) most_running: u32,
    /// How many do, in all classes together.
    pub(super) running: u32,
    pub(super) waiting: VecDeque<TicketId>,
    /// Turns, and parts of one, that are left in this round.
    credit: f64,
    /// Whether this round's turns were given to it already.
    in_turn: bool,
}

impl Seat {
    pub(super) fn new(member: Member, weight: f64, most_running: u32, running: u32) -> Self {
        let waiting = VecDeque::new();
        Self { member, weight, most_running, running, waiting, credit: 0.0, in_turn: false }
    }

    fn may_begin(&self) -> bool {
        self.running < self.most_running && !self.waiting.is_empty()
    }

    fn level(&self) -> u32 {
        (f64::from(self.running) / self.weight.max(1.0)) as u32
    }
}

/// The ring.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    ring: VecDeque<Seat>,
}

/// So much may be missing from a whole turn: weights such as 0.1 do not add up exactly.
const ROUNDING: f64 = 1e-9;

impl Lane {
    /// A request joins its member's seat; `seat` makes one at the tail.
    pub(super) fn join(&mut self, id: TicketId, member: &Member, seat: impl FnOnce() -> Seat) {
        match self.find(member) {
            Some(at) => self.ring[at].waiting.push_back(id),
            None => {
                let mut seat = seat();
                seat.waiting.push_back(id);
                self.ring.push_back(seat);
            }
        }
    }

    /// A waiting request goes away.
    pub(super) fn leave(&mut self, id: TicketId, member: &Member) {
        let Some(at) = self.find(member) else { return };
        self.ring[at].waiting.retain(|one| *one != id);
        if self.ring[at].waiting.is_empty() {
            self.ring.remove(at);
        }
    }

    /// An answer of this member began, in whichever class.
    pub(super) fn began(&mut self, member: &Member) {
        if let Some(at) = self.find(member) {
            self.ring[at].running += 1;
        }
    }

    /// An answer of this member ended.
    pub(super) fn ended(&mut self, member: &Member) {
        let Some(at) = self.find(member) else { return };
        self.ring[at].running = self.ring[at].running.saturating_sub(1);
        if !self.ring[at].in_turn {
            self.send_to_tail(at);
        }
    }

    /// Other settings: each seat's weight, and the most answers it may have running.
    pub(super) fn weigh_anew(&mut self, of: impl Fn(&Member) -> (f64, u32)) {
        for seat in &mut self.ring {
            (seat.weight, seat.most_running) = of(&seat.member);
            // What was saved up under a larger weight is not spent under a smaller one.
            seat.credit = seat.credit.min(seat.weight.max(1.0));
        }
    }

    /// Whether somebody here could begin.
    pub(super) fn can_begin(&self) -> bool {
        self.ring.iter().any(Seat::may_begin)
    }

    /// Gives the next turn. The caller tells the other lanes by [`Lane::began`].
    pub(super) fn pick(&mut self) -> Option<TicketId> {
        let level = self.ring.iter().filter(|seat| seat.may_begin()).map(Seat::level).min()?;
        loop {
            let at = self.ring.iter().position(|seat| seat.may_begin() && seat.level() == level)?;
            let seat = &mut self.ring[at];
            if level > 0 {
                // A place that nobody else wants: it costs no turn.
                let id = seat.begin();
                self.send_to_tail(at);
                return id;
            }
            if !std::mem::replace(&mut seat.in_turn, true) {
                seat.credit += seat.weight;
            }
            let has_turn = seat.credit >= 1.0 - ROUNDING;
            let mut id = None;
            if has_turn {
                seat.credit = (seat.credit - 1.0).max(0.0);
                id = seat.begin();
            }
            let over = seat.credit < 1.0 - ROUNDING;
            if over || seat.waiting.is_empty() {
                seat.in_turn = false;
                self.send_to_tail(at);
            }
            if has_turn {
                return id;
            }
        }
    }

    /// Whoever waits only for answers of its own member to end, once [`Lane::pick`] gives nobody any more.
    pub(super) fn rest(&self) -> impl Iterator<Item = TicketId> {
        self.ring.iter().flat_map(|seat| &seat.waiting).copied()
    }

    fn find(&self, member: &Member) -> Option<usize> {
        self.ring.iter().position(|seat| seat.member == *member)
    }

    /// An empty seat is taken away instead.
    fn send_to_tail(&mut self, at: usize) {
        if let Some(seat) = self.ring.remove(at)
            && !seat.waiting.is_empty()
        {
            self.ring.push_back(seat);
        }
    }
}

impl Seat {
    fn begin(&mut self) -> Option<TicketId> {
        self.running += 1;
        self.waiting.pop_front()
    }
}
