//! Scores of what was found, by the judged questions of `tests/data/judged`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Half;
use crate::shell::root;

/// Places that nDCG and recall look at.
const NDCG_PLACES: usize = 10;
const RECALL_PLACES: usize = 20;

/// For each question the documents that answer it.
pub(super) type Judged = BTreeMap<String, Vec<String>>;

/// For each question what was found, the best first.
pub(super) type Found = BTreeMap<String, Vec<String>>;

pub(super) fn file_of(half: Half) -> PathBuf {
    let name = match half {
        Half::Tuning => "tuning",
        Half::HeldOut => "held-out",
    };
    root().join("tests/data/judged").join(name).with_extension("jsonl")
}

/// The questions of a half, with their own lines: those whose answer is in this corpus.
pub(super) fn questions(half: Half, corpus: &Path) -> Result<(Judged, String)> {
    let there: Vec<String> = lines(corpus)?.iter().filter_map(|line| text(line, "id")).collect();
    let there: std::collections::BTreeSet<String> = there.into_iter().collect();
    let (mut judged, mut own_lines) = (Judged::new(), String::new());
    for line in lines(&file_of(half))? {
        let relevant = strings(&line["relevant"]);
        if let Some(id) = text(&line, "id").filter(|_| relevant.iter().all(|id| there.contains(id))) {
            own_lines.push_str(&format!("{line}\n"));
            judged.insert(id, relevant);
        }
    }
    Ok((judged, own_lines))
}

/// What a ranking of this name found, out of a file of rankings.
pub(super) fn found(file: &Path, name: &str) -> Result<Found> {
    Ok(lines(file)?.iter().filter_map(|line| Some((text(line, "id")?, strings(&line[name])))).collect())
}

fn lines(path: &Path) -> Result<Vec<Value>> {
    let content = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    let parse = |line| serde_json::from_str(line).with_context(|| format!("in {}", path.display()));
    content.lines().map(parse).collect()
}

fn text(line: &Value, key: &str) -> Option<String> {
    line[key].as_str().map(str::to_owned)
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The means over all questions; one for which nothing was found counts as nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Scores {
    pub(super) ndcg: f64,
    pub(super) recall: f64,
}

impl Scores {
    pub(super) fn of(judged: &Judged, found: &Found) -> Scores {
        let mut sum = Scores::default();
        for (id, relevant) in judged {
            let found = found.get(id).map_or(&[][..], Vec::as_slice);
            sum.ndcg += ndcg(relevant, found);
            sum.recall += recall(relevant, found);
        }
        let count = judged.len() as f64;
        Scores { ndcg: sum.ndcg / count, recall: sum.recall / count }
    }
}

/// The share that the found documents have of the gain of the best order.
pub(super) fn ndcg(relevant: &[String], found: &[String]) -> f64 {
    let gain = |place: usize| 1.0 / ((place + 2) as f64).log2();
    let places = found.iter().take(NDCG_PLACES).enumerate();
    let gained: f64 = places.filter(|(_, id)| relevant.contains(id)).map(|(place, _)| gain(place)).sum();
    let best: f64 = (0..relevant.len().min(NDCG_PLACES)).map(gain).sum();
    gained / best
}

fn recall(relevant: &[String], found: &[String]) -> f64 {
    let there = found.iter().take(RECALL_PLACES).filter(|id| relevant.contains(id)).count();
    there as f64 / relevant.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_answer_counts_less_the_further_down_it_stands_and_nothing_below_the_tenth_place() {
        let right = ids("right");
        assert_eq!(ndcg(&right, &ids("right a b")), 1.0);
        assert!((ndcg(&right, &ids("a right")) - 0.630_93).abs() < 1e-4);
        assert_eq!(ndcg(&right, &ids("a b c d e f g h i j right")), 0.0);
        assert_eq!(recall(&right, &ids("a b c d e f g h i j right")), 1.0);
    }

    #[test]
    fn of_two_answers_both_must_be_found_for_a_whole_score() {
        let right = ids("x y");
        assert_eq!(ndcg(&right, &ids("y x a")), 1.0);
        assert!(ndcg(&right, &ids("x a y")) < 1.0);
        assert_eq!(recall(&right, &ids("x a b")), 0.5);
    }

    #[test]
    fn a_question_without_an_answer_lowers_the_mean() {
        let judged = Judged::from([("1".into(), ids("x")), ("2".into(), ids("y"))]);
        let found = Found::from([("1".into(), ids("x"))]);
        assert_eq!(Scores::of(&judged, &found), Scores { ndcg: 0.5, recall: 0.5 });
    }

    #[test]
    fn no_question_is_in_both_halves_and_each_half_has_enough() {
        let ids = |half| -> std::collections::BTreeSet<String> {
            lines(&file_of(half)).unwrap().iter().filter_map(|line| text(line, "id")).collect()
        };
        let (tuning, held_out) = (ids(Half::Tuning), ids(Half::HeldOut));
        assert!(tuning.is_disjoint(&held_out));
        assert!(tuning.len() >= 100 && held_out.len() >= 100, "{} and {}", tuning.len(), held_out.len());
    }
}
