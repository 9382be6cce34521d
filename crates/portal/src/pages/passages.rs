//! Passages above an answer, and under it what it rests on.

use minijinja::{Value, context};

use super::text::{escape, paragraphs};
use crate::Portal;
use crate::answer::{CitedPassage, Passages, Rests};
use crate::visit::Visit;

/// Characters of a passage that are shown above the answer; all of it is behind the link.
const SHOWN: usize = 180;

/// What the library has on the question, before the answer's first word.
pub(super) fn found(portal: &Portal, visit: &Visit, question: &str, shown: &Passages) -> String {
    // Questions to the members are between members.
    let ask = visit.caller.is_some().then(|| ask_members(question));
    let rows: Vec<Value> = shown.passages.iter().map(|passage| row(visit, passage)).collect();
    let values = context! { covered => shown.covered, passages => rows, ask };
    portal.pages().render("passages.html", visit.language, values)
}

/// The page on which a question to the members is asked, with this one filled in.
fn ask_members(question: &str) -> String {
    let text = form_urlencoded::Serializer::new(String::new()).append_pair("text", question).finish();
    format!("/library/questions?{text}")
}

/// What the answer rests on, behind its last word.
pub(super) fn cited(portal: &Portal, visit: &Visit, shown: &Passages, rests: &Rests) -> String {
    let cited = shown.passages.iter().filter(|passage| rests.cited.contains(&passage.number));
    let rows: Vec<Value> = cited.map(|passage| row(visit, passage)).collect();
    portal.pages().render("cites.html", visit.language, context! { passages => rows })
}

/// A citation in the words of an answer.
pub(super) fn marker(shown: &Passages, numbers: &[u32]) -> String {
    let mut html = String::from("<sup class=\"cite\">[");
    for (place, number) in numbers.iter().enumerate() {
        if place > 0 {
            html.push_str(", ");
        }
        match shown.passages.iter().find(|passage| passage.number == *number) {
            Some(passage) => {
                html.push_str("<a href=\"");
                passage.href.chars().for_each(|one| escape(one, &mut html));
                html.push_str(&format!("\">{number}</a>"));
            }
            None => html.push_str(&number.to_string()),
        }
    }
    html.push_str("]</sup>");
    html
}

fn row(visit: &Visit, passage: &CitedPassage) -> Value {
    let cut: String = passage.text.chars().take(SHOWN).collect();
    let more = if cut.len() < passage.text.len() { "…" } else { "" };
    let page =
        passage.page.map(|page| visit.language.fill("page.passages.page", &[("n", &page.to_string())]));
    context! {
        number => passage.number,
        title => &passage.title,
        heading => &passage.heading,
        page,
        html => paragraphs(&format!("{}{more}", cut.trim_end())),
        thanks => thanks(passage),
        lang => &passage.language,
        href => &passage.href,
    }
}

/// Where it stands, whom to thank and under which licence, in a line.
fn thanks(passage: &CitedPassage) -> String {
    let parts = [&passage.collection_name, &passage.attribution, &passage.licence];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}
