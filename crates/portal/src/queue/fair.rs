//! The queue itself: values in, values out.
//!
//! ```text
//!            enter ──▶ refused (quota, full, too long a wait)
//!              │
//!              ▼          next                end
//!           waiting ─────────────▶ running ────────▶ gone
//!              │ leave, or expire (its deadline passed)
//!              ▼
//!            gone
//! ```
//!
//! Order of calls: whatever happens goes in ([`FairQueue::enter`], [`FairQueue::leave`], [`FairQueue::end`],
//! [`FairQueue::expire`]); then [`FairQueue::next`] is asked until it gives nobody; then [`FairQueue::standings`] says
//! how everybody stands. `now` never goes back. There is no clock, no socket and no randomness in here.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::bucket::Bucket;
use super::estimate::ServiceTimes;
use super::lane::{Lane, Seat};
use super::{Class, Member, Places, QueueSettings, Rate, Refusal, Standing, TicketId};

/// Told to whoever has to come back when nothing better is known.
const COME_BACK: Duration = Duration::from_secs(10);

/// Members that are remembered before those without anything going on are forgotten.
const REMEMBERED: usize = 4096;

/// What a request asks of the queue.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) member: Member,
    pub(crate) class: Class,
    /// From now on; whoever cannot begin by then does not want to any more.
    pub(crate) deadline: Option<Duration>,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct FairQueue {
    settings: QueueSettings,
    lanes: [Lane; 3],
    waiting: BTreeMap<TicketId, Waiting>,
    running: BTreeMap<TicketId, Running>,
    members: HashMap<Member, Tally>,
    service: ServiceTimes,
    next_id: u64,
}

#[derive(Debug)]
struct Waiting {
    member: Member,
    class: Class,
    until: Option<Duration>,
}

#[derive(Debug)]
struct Running {
    member: Member,
    since: Duration,
}

/// What is counted of one member.
#[derive(Debug, Default)]
struct Tally {
    waiting: u32,
    running: u32,
    hour: Option<Bucket>,
    crisis: Option<Bucket>,
}

impl FairQueue {
    pub(crate) fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            lanes: Default::default(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            members: HashMap::new(),
            service: ServiceTimes::default(),
            next_id: 0,
        }
    }

    /// Goes by other settings from now on. What waits keeps its place; weights and quotas hold for the next turn.
    pub(crate) fn set(&mut self, settings: QueueSettings) {
        for lane in &mut self.lanes {
            lane.weigh_anew(|member| (settings.weights.of(member), settings.quotas.of(member).running));
        }
        self.settings = settings;
    }

    /// What it goes by.
    pub(crate) fn settings(&self) -> &QueueSettings {
        &self.settings
    }

    /// Counts a question that is answered without an engine: it uses up what a member may ask in an hour.
    pub(crate) fn charge(&mut self, now: Duration, member: &Member) -> Result<(), Refusal> {
        self.forget_the_quiet(now);
        let Some(rate) = self.settings.quotas.of(member).per_hour else { return Ok(()) };
        let tally = self.members.entry(member.clone()).or_default();
        let bucket = tally.hour.get_or_insert_with(|| Bucket::full(rate, now));
        bucket.take(rate, now).map_err(|retry_after| Refusal::Quota { retry_after })
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many are being answered.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// Takes a request, or refuses it with the reason. The class is the one that was granted: an urgent question waits
    /// as any other where the settings do not let members say so.
    pub(crate) fn enter(
        &mut self,
        now: Duration,
        ask: &Ask,
        places: Places,
    ) -> Result<(TicketId, Class), Refusal> {
        self.forget_the_quiet(now);
        let quota = self.settings.quotas.of(&ask.member).clone();
        let waits = self.members.get(&ask.member).map_or(0, |tally| tally.waiting);
        if waits >= quota.waiting {
            return Err(Refusal::Quota { retry_after: self.mean().unwrap_or(COME_BACK) });
        }
        let class = self.granted(now, ask);
        if class != Class::Crisis && self.waiting.len() >= self.settings.admission.length as usize {
            return Err(Refusal::Full { retry_after: self.a_place_is_free_in(places) });
        }
        if let Some(rate) = quota.per_hour {
            let tally = self.members.entry(ask.member.clone()).or_default();
            let bucket = tally.hour.get_or_insert_with(|| Bucket::full(rate, now));
            bucket.take(rate, now).map_err(|retry_after| Refusal::Quota { retry_after })?;
        }

        let id = self.put(now, ask, class, quota.running);
        let expected = self.standing(id, now, places).and_then(|standing| standing.expected);
        let longest = Duration::from_secs_f64(self.settings.admission.longest_wait_s.clamp(0.0, 1e6));
        let longest = if class == Class::Crisis { Duration::MAX } else { longest };
        let bearable = ask.deadline.unwrap_or(Duration::MAX).min(longest);
        if let Some(expected) = expected.filter(|expected| *expected > bearable) {
            self.leave(id);
            if let Some(bucket) = self.members.get_mut(&ask.member).and_then(|tally| tally.hour.as_mut()) {
                bucket.give_back();
            }
            return Err(Refusal::TooLongAWait { expected, retry_after: expected - bearable });
        }
        Ok((id, class))
    }

    /// A waiting request goes away; one that is not waiting is passed over.
    pub(crate) fn leave(&mut self, id: TicketId) {
        let Some(gone) = self.waiting.remove(&id) else { return };
        self.lanes[gone.class as usize].leave(id, &gone.member);
        if let Some(tally) = self.members.get_mut(&gone.member) {
            tally.waiting -= 1;
        }
    }

    /// Lets those go whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Duration) -> Vec<TicketId> {
        let is_over = |waiting: &Waiting| waiting.until.is_some_and(|until| until <= now);
        let over: Vec<TicketId> =
            self.waiting.iter().filter(|(_, waiting)| is_over(waiting)).map(|(id, _)| *id).collect();
        over.iter().for_each(|id| self.leave(*id));
        over
    }

    /// When [`FairQueue::expire`] has something to do next.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.waiting.values().filter_map(|waiting| waiting.until).min()
    }

    /// Whether [`FairQueue::next`] would give somebody a place.
    pub(crate) fn can_begin(&self, places: Places) -> bool {
        self.class_to_begin(places).is_some()
    }

    /// Who gets the next free place. From now on it runs.
    pub(crate) fn next(&mut self, now: Duration, places: Places) -> Option<TicketId> {
        let class = self.class_to_begin(places)?;
        let id = self.lanes[class as usize].pick()?;
        let Waiting { member, .. } = self.waiting.remove(&id)?;
        for other in Class::ALL.into_iter().filter(|other| *other != class) {
            self.lanes[other as usize].began(&member);
        }
        if let Some(tally) = self.members.get_mut(&member) {
            tally.waiting -= 1;
            tally.running += 1;
        }
        self.running.insert(id, Running { member, since: now });
        Some(id)
    }

    /// A running request gives its place back. `served`: it came to its end, so its time tells something.
    pub(crate) fn end(&mut self, now: Duration, id: TicketId, served: bool) {
        let Some(Running { member, since }) = self.running.remove(&id) else { return };
        if served {
            self.service.learn(now.saturating_sub(since));
        }
        self.lanes.iter_mut().for_each(|lane| lane.ended(&member));
        if let Some(tally) = self.members.get_mut(&member) {
            tally.running -= 1;
        }
    }

    /// How everybody who waits stands, the next first.
    pub(crate) fn standings(&self, now: Duration, places: Places) -> Vec<(TicketId, Standing)> {
        let mut turns = self.turns(now, places);
        let mut next = || turns.as_mut().and_then(Iterator::next).flatten().map(Duration::from_secs_f64);
        let order = self.order().into_iter().zip(1_u32..);
        order.map(|(id, place)| (id, Standing { place, expected: next() })).collect()
    }

    /// How long somebody who came now would wait; none when that cannot be told.
    pub(crate) fn expected_for_a_newcomer(&self, now: Duration, places: Places) -> Option<Duration> {
        let before = self.waiting.values().filter(|waiting| waiting.class != Class::Background).count();
        self.turns(now, places)?.nth(before).flatten().map(Duration::from_secs_f64)
    }

    fn granted(&mut self, now: Duration, ask: &Ask) -> Class {
        let rule = &self.settings.classes.crisis;
        if ask.class != Class::Crisis || !rule.members_may {
            return ask.class.max(Class::Normal);
        }
        let Some(rate) = rule.per_hour else { return Class::Crisis };
        let tally = self.members.entry(ask.member.clone()).or_default();
        let bucket = tally.crisis.get_or_insert_with(|| Bucket::full(rate, now));
        if bucket.take(rate, now).is_ok() { Class::Crisis } else { Class::Normal }
    }

    fn put(&mut self, now: Duration, ask: &Ask, class: Class, most_running: u32) -> TicketId {
        let id = TicketId(self.next_id);
        self.next_id += 1;
        let tally = self.members.entry(ask.member.clone()).or_default();
        tally.waiting += 1;
        let (member, weight) = (&ask.member, self.settings.weights.of(&ask.member));
        let seat = || Seat::new(member.clone(), weight, most_running, tally.running);
        self.lanes[class as usize].join(id, member, seat);
        let until = ask.deadline.and_then(|deadline| now.checked_add(deadline));
        self.waiting.insert(id, Waiting { member: member.clone(), class, until });
        id
    }

    fn class_to_begin(&self, places: Places) -> Option<Class> {
        let may = |class: Class| self.lanes[class as usize].can_begin();
        if places.free == 0 {
            return None;
        }
        if let Some(class) = [Class::Crisis, Class::Normal].into_iter().find(|class| may(*class)) {
            return Some(class);
        }
        let kept = self.settings.classes.background.leaves_free as usize;
        let kept = kept.min(places.capacity.saturating_sub(1));
        (places.free > kept && may(Class::Background)).then_some(Class::Background)
    }

    /// In the order in which they would begin if nobody came and no answer ended.
    fn order(&self) -> Vec<TicketId> {
        let mut lanes = self.lanes.clone();
        let mut order = Vec::with_capacity(self.waiting.len());
        let mut blocked = Vec::new();
        for class in Class::ALL {
            while let Some(id) = lanes[class as usize].pick() {
                if let Some(waiting) = self.waiting.get(&id) {
                    for lower in Class::ALL.into_iter().filter(|other| *other > class) {
                        lanes[lower as usize].began(&waiting.member);
                    }
                }
                order.push(id);
            }
            blocked.extend(lanes[class as usize].rest());
        }
        order.extend(blocked);
        order
    }

    fn standing(&self, id: TicketId, now: Duration, places: Places) -> Option<Standing> {
        self.standings(now, places).into_iter().find(|(one, _)| *one == id).map(|(_, standing)| standing)
    }

    fn turns(&self, now: Duration, places: Places) -> Option<super::estimate::Turns> {
        if places.capacity == 0 {
            return None;
        }
        let ages = self.running.values().map(|running| now.saturating_sub(running.since));
        self.service.turns(places.free, ages)
    }

    fn mean(&self) -> Option<Duration> {
        self.service.mean_s().map(|mean| Duration::from_secs_f64(mean.max(1.0)))
    }

    fn a_place_is_free_in(&self, places: Places) -> Duration {
        self.mean().map_or(COME_BACK, |mean| mean / places.capacity.max(1) as u32)
    }

    /// Members of whom nothing is to be remembered; so the list is bounded by those who asked within an hour or so.
    fn forget_the_quiet(&mut self, now: Duration) {
        if self.members.len() < REMEMBERED {
            return;
        }
        let settings = &self.settings;
        self.members.retain(|member, tally| {
            let rest = |bucket: &mut Option<Bucket>, rate: Option<Rate>| match (bucket, rate) {
                (Some(bucket), Some(rate)) => !bucket.is_full(rate, now),
                _ => false,
            };
            tally.waiting + tally.running > 0
                || rest(&mut tally.hour, settings.quotas.of(member).per_hour)
                || rest(&mut tally.crisis, settings.classes.crisis.per_hour)
        });
    }
}
