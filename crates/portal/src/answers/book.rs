//! All answers by name, with the limits on how many are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Answer;
use crate::queue::Member;

/// The most answers that are kept of one member, those that are being written among them: a page reloads the last one
/// or two.
const MAX_OF_A_MEMBER: usize = 16;

/// The most that are kept in all: 1,024 answers of some 20 KiB are 20 MiB.
const MAX_IN_ALL: usize = 1024;

/// The answers. What is still being written is never left out for its number: the queue bounds that.
#[derive(Default)]
pub(super) struct Book {
    answers: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    by_id: HashMap<String, Arc<Answer>>,
    /// Names of those that have ended, the oldest first.
    ended: Vec<String>,
}

impl Book {
    pub(super) fn add(&self, answer: Arc<Answer>) {
        let mut pages = self.pages();
        let counted = answer.owners().counted();
        let own = pages.by_id.values().filter(|one| one.owners().counted() == counted).count();
        if own >= MAX_OF_A_MEMBER {
            pages.forget_oldest(|one| one.owners().counted() == counted);
        }
        if pages.by_id.len() >= MAX_IN_ALL {
            pages.forget_oldest(|_| true);
        }
        pages.by_id.insert(answer.id().to_owned(), answer);
    }

    pub(super) fn find(&self, id: &str, member: &Member) -> Option<Arc<Answer>> {
        self.pages().by_id.get(id).filter(|answer| answer.owners().include(member)).cloned()
    }

    pub(super) fn ended(&self, answer: &Answer) {
        let mut pages = self.pages();
        if pages.by_id.contains_key(answer.id()) {
            pages.ended.push(answer.id().to_owned());
        }
    }

    pub(super) fn forget(&self, id: &str) {
        let mut pages = self.pages();
        pages.by_id.remove(id);
        pages.ended.retain(|ended| ended != id);
    }

    pub(super) fn stop_all(&self) {
        let all: Vec<Arc<Answer>> = self.pages().by_id.values().cloned().collect();
        all.iter().for_each(|answer| answer.stop());
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn forget_oldest(&mut self, which: impl Fn(&Answer) -> bool) {
        let is_wanted = |id: &String| self.by_id.get(id).is_none_or(|answer| which(answer));
        if let Some(at) = self.ended.iter().position(is_wanted) {
            let id = self.ended.remove(at);
            self.by_id.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::{Asked, Owners};
    use crate::pages::conversation::Conversation;

    fn answer(member: &Member) -> Arc<Answer> {
        let asked = Asked { conversation: Conversation::default(), question: String::new() };
        Answer::new(Owners::new(member.clone(), None), asked)
    }

    fn finished(book: &Book, member: &Member) -> Arc<Answer> {
        let answer = answer(member);
        book.add(answer.clone());
        answer.end();
        book.ended(&answer);
        answer
    }

    #[test]
    fn the_oldest_finished_answers_of_a_member_make_room_and_nobody_elses() {
        let book = Book::default();
        let (ana, ben) = (Member::cookie("ana"), Member::cookie("ben"));
        let of_ben = finished(&book, &ben);
        let running = answer(&ana);
        book.add(running.clone());
        let of_ana: Vec<Arc<Answer>> = (0..40).map(|_| finished(&book, &ana)).collect();
        let is_there = |answer: &Arc<Answer>, member| book.find(answer.id(), member).is_some();
        assert!(is_there(&of_ben, &ben) && is_there(&running, &ana));
        let kept = of_ana.iter().filter(|answer| is_there(answer, &ana)).count();
        assert_eq!(kept, MAX_OF_A_MEMBER - 1);
        assert!(is_there(&of_ana[39], &ana));
    }

    #[test]
    fn there_is_a_limit_in_all() {
        let book = Book::default();
        for member in 0..2 * MAX_IN_ALL {
            finished(&book, &Member::cookie(&member.to_string()));
        }
        let pages = book.pages();
        assert_eq!((pages.by_id.len(), pages.ended.len()), (MAX_IN_ALL, MAX_IN_ALL));
    }

    #[test]
    fn an_answer_is_its_members_alone_under_each_of_their_names() {
        let book = Book::default();
        let (address, cookie) = (Member::address([10, 0, 0, 7].into()), Member::cookie("ana"));
        let asked = Asked { conversation: Conversation::default(), question: String::new() };
        let answer = Answer::new(Owners::new(address.clone(), Some(cookie.clone())), asked);
        book.add(answer.clone());
        assert!(book.find(answer.id(), &address).is_some() && book.find(answer.id(), &cookie).is_some());
        assert!(book.find(answer.id(), &Member::cookie("ben")).is_none());
        book.forget(answer.id());
        assert!(book.find(answer.id(), &cookie).is_none());
    }
}
