//! A box without engines: places that are taken and given back, by a clock that the test turns.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::queue::{Ask, Class, FairQueue, Member, Places, QueueSettings, Refusal, Standing, TicketId};

/// What the test knows of a request.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) member: usize,
    pub(super) class: Class,
    pub(super) entered: Duration,
}

/// A queue with its places, and what the test knows beside it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) queue: FairQueue,
    pub(super) now: Duration,
    pub(super) capacity: usize,
    pub(super) waiting: BTreeMap<TicketId, Known>,
    pub(super) running: BTreeMap<TicketId, (Known, Duration)>,
    /// In the order in which they began.
    pub(super) begun: Vec<(TicketId, Known)>,
}

pub(super) fn member(number: usize) -> Member {
    Member::cookie(&number.to_string())
}

impl World {
    pub(super) fn new(capacity: usize, settings: QueueSettings) -> Self {
        Self {
            queue: FairQueue::new(settings),
            now: Duration::ZERO,
            capacity,
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            begun: Vec::new(),
        }
    }

    pub(super) fn places(&self) -> Places {
        Places { free: self.capacity.saturating_sub(self.running.len()), capacity: self.capacity }
    }

    pub(super) fn enter(
        &mut self,
        number: usize,
        class: Class,
        deadline: Option<Duration>,
    ) -> Result<TicketId, Refusal> {
        let ask = Ask { member: member(number), class, deadline };
        let (id, class) = self.queue.enter(self.now, &ask, self.places())?;
        self.waiting.insert(id, Known { member: number, class, entered: self.now });
        Ok(id)
    }

    /// Gives out places; calls `look` before each with who is about to be chosen from.
    pub(super) fn dispatch(&mut self, mut look: impl FnMut(&Self, TicketId)) {
        while self.queue.can_begin(self.places()) {
            let places = self.places();
            let id = self.queue.next(self.now, places).expect("it said that somebody can begin");
            look(self, id);
            let known = self.waiting.remove(&id).expect("who begins was waiting");
            self.begun.push((id, known.clone()));
            self.running.insert(id, (known, self.now));
        }
        assert_eq!(self.queue.next(self.now, self.places()), None);
    }

    /// Ends the running answer with this number, in the order in which they began.
    pub(super) fn end(&mut self, nth: usize) {
        if self.running.is_empty() {
            return;
        }
        let id = *self.running.keys().nth(nth % self.running.len()).expect("within");
        self.running.remove(&id);
        self.queue.end(self.now, id, true);
    }

    pub(super) fn leave(&mut self, nth: usize) {
        if self.waiting.is_empty() {
            return;
        }
        let id = *self.waiting.keys().nth(nth % self.waiting.len()).expect("within");
        self.waiting.remove(&id);
        self.queue.leave(id);
    }

    pub(super) fn expire(&mut self) -> Vec<TicketId> {
        let over = self.queue.expire(self.now);
        self.waiting.retain(|id, _| !over.contains(id));
        over
    }

    pub(super) fn runs(&self, number: usize) -> usize {
        self.running.values().filter(|(known, _)| known.member == number).count()
    }

    pub(super) fn standings(&self) -> BTreeMap<TicketId, Standing> {
        self.queue.standings(self.now, self.places()).into_iter().collect()
    }

    /// The oldest waiting request of each member in a class.
    pub(super) fn firsts(&self, class: Class) -> BTreeMap<usize, TicketId> {
        let mut firsts = BTreeMap::new();
        for (id, known) in self.waiting.iter().filter(|(_, known)| known.class == class) {
            firsts.entry(known.member).or_insert(*id);
        }
        firsts
    }
}
