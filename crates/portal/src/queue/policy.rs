//! The community's quotas as settings of the queue.

use banyan_governance::policy::QuotaPolicy;

use super::{QueueSettings, Rate};

impl QueueSettings {
    /// These settings of the box with what the community decided on top. Nobody is named in it but programs, by their
    /// keys: a steward has the same quota as everybody. `crisis`: urgent questions go first for the time being.
    #[must_use]
    pub fn under(&self, policy: &QuotaPolicy, crisis: bool) -> Self {
        let mut settings = self.clone();
        if let Some(most) = policy.members_per_hour {
            settings.quotas.members.per_hour = Some(per_hour(most));
        }
        if let Some(most) = policy.guests_per_hour {
            let mut guests = settings.quotas.guests.unwrap_or_else(|| settings.quotas.members.clone());
            guests.per_hour = Some(per_hour(most));
            settings.quotas.guests = Some(guests);
        }
        if let Some(percent) = policy.guest_weight_percent {
            settings.weights.guests = Some(settings.weights.others * f64::from(percent) / 100.0);
        }
        for (key, percent) in &policy.program_weight_percent {
            settings.weights.by_name.insert(format!("key:{key}"), f64::from(*percent) / 100.0);
        }
        settings.classes.crisis.members_may |= policy.urgent || crisis;
        settings
    }
}

/// Whoever asked nothing for an hour may ask all of it at once: a person asks a few things in a row and then nothing for
/// long.
fn per_hour(most: u32) -> Rate {
    Rate { requests: f64::from(most), at_once: f64::from(most) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::queue::{Ask, Class, FairQueue, Member, Places, Refusal};

    fn ask(queue: &mut FairQueue, member: &Member) -> Result<(), Refusal> {
        let ask = Ask { member: member.clone(), class: Class::Normal, deadline: None };
        let places = Places { free: 0, capacity: 1 };
        let (id, _) = queue.enter(Duration::ZERO, &ask, places)?;
        queue.leave(id);
        Ok(())
    }

    #[test]
    fn members_and_guests_have_their_own_quotas_and_nobody_else_is_named() {
        let policy =
            QuotaPolicy { members_per_hour: Some(3), guests_per_hour: Some(1), ..QuotaPolicy::default() };
        let settings = QueueSettings::default().under(&policy, false);
        assert!(settings.quotas.by_name.is_empty() && settings.weights.by_name.is_empty());
        let mut queue = FairQueue::new(settings);
        let (ana, guest) = (Member::person("m-0123456789"), Member::cookie("a"));
        assert!((0..3).all(|_| ask(&mut queue, &ana).is_ok()) && ask(&mut queue, &ana).is_err());
        assert!(ask(&mut queue, &guest).is_ok() && ask(&mut queue, &guest).is_err());
        assert!((0..20).all(|_| ask(&mut queue, &Member::key("till")).is_ok()));
    }

    #[test]
    fn a_changed_policy_holds_for_the_next_question_and_for_those_who_wait() {
        let mut queue = FairQueue::new(QueueSettings::default());
        let (ana, guest) = (Member::person("m-0123456789"), Member::cookie("a"));
        let places = Places { free: 0, capacity: 1 };
        let put = |queue: &mut FairQueue, member: &Member| {
            let ask = Ask { member: member.clone(), class: Class::Normal, deadline: None };
            queue.enter(Duration::ZERO, &ask, places).unwrap().0
        };
        let guests: Vec<_> = (0..4).map(|_| put(&mut queue, &guest)).collect();
        let members: Vec<_> = (0..4).map(|_| put(&mut queue, &ana)).collect();
        let policy = QuotaPolicy {
            guests_per_hour: Some(1),
            guest_weight_percent: Some(50),
            urgent: true,
            ..QuotaPolicy::default()
        };
        queue.set(QueueSettings::default().under(&policy, false));
        // The quota takes nobody's place away; the guest's turn comes half as often.
        let places = Places { free: 1, capacity: 1 };
        let mut order = Vec::new();
        while let Some(id) = queue.next(Duration::ZERO, places) {
            order.push(id);
            queue.end(Duration::ZERO, id, true);
        }
        assert_eq!(order.len(), 8);
        let place = |id| order.iter().position(|one| *one == id).unwrap();
        assert!(place(members[3]) < place(guests[2]), "{order:?}");
        assert!(ask(&mut queue, &guest).is_ok() && ask(&mut queue, &guest).is_err());
        let urgent = Ask { member: ana, class: Class::Crisis, deadline: None };
        assert_eq!(queue.enter(Duration::ZERO, &urgent, places).unwrap().1, Class::Crisis);
    }

    #[test]
    fn what_is_answered_without_an_engine_counts_too() {
        let policy = QuotaPolicy { members_per_hour: Some(2), ..QuotaPolicy::default() };
        let mut queue = FairQueue::new(QueueSettings::default().under(&policy, false));
        let ana = Member::person("m-0123456789");
        assert!(queue.charge(Duration::ZERO, &ana).is_ok() && ask(&mut queue, &ana).is_ok());
        assert!(queue.charge(Duration::ZERO, &ana).is_err() && ask(&mut queue, &ana).is_err());
    }
}
