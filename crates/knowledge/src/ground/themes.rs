//! What questions have in common, so that a steward sees what the library lacks.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::words::{Weighty, split, stem};

/// Questions about the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Up to three words that its questions share, the commonest first; empty where they share none.
    pub words: Vec<String>,
    /// Places of the questions, in their order.
    pub questions: Vec<usize>,
}

/// So alike (cosine of the words that at least two questions have, the rarer the heavier) are questions of one theme.
const ALIKE: f64 = 0.5;
/// Words in the name of a theme.
const WORDS: usize = 3;

/// Puts questions together that share weighty words, the largest theme first. Each question is taken to the theme that it
/// is most like, or begins one: simple, the same at every look, and good enough for some hundred questions. It takes
/// time in the square of their number.
#[must_use]
pub fn themes(questions: &[&str]) -> Vec<Cluster> {
    let read: Vec<HashSet<String>> =
        questions.iter().map(|text| Weighty::of(text).stems.into_iter().collect()).collect();
    let mut known_in: HashMap<&str, u32> = HashMap::new();
    for stem in read.iter().flatten() {
        *known_in.entry(stem).or_default() += 1;
    }
    let all = questions.len().max(1) as f64;
    // A word that one question has alone says nothing of what it has in common with others.
    let weight = |stem: &str| {
        let known = known_in.get(stem).copied().filter(|known| *known > 1)?;
        Some((1.0 + all / f64::from(known)).ln())
    };
    let mut clusters: Vec<(HashMap<&str, f64>, Vec<usize>)> = Vec::new();
    for (place, stems) in read.iter().enumerate() {
        let own: HashMap<&str, f64> =
            stems.iter().filter_map(|stem| Some((stem.as_str(), weight(stem)?))).collect();
        let alike = clusters.iter().enumerate().map(|(at, (centre, _))| (cosine(&own, centre), at));
        let best = alike.max_by(|(one, first), (other, second)| one.total_cmp(other).then(second.cmp(first)));
        match best.filter(|(alike, _)| *alike >= ALIKE) {
            Some((_, at)) => {
                let (centre, members) = &mut clusters[at];
                for (stem, weight) in own {
                    *centre.entry(stem).or_default() += weight;
                }
                members.push(place);
            }
            None => clusters.push((own, vec![place])),
        }
    }
    let mut named: Vec<Cluster> = clusters
        .into_iter()
        .map(|(_, members)| Cluster { words: name(&members, questions), questions: members })
        .collect();
    // Stable, so of equal ones the older comes first.
    named.sort_by_key(|cluster| std::cmp::Reverse(cluster.questions.len()));
    named
}

fn cosine(one: &HashMap<&str, f64>, other: &HashMap<&str, f64>) -> f64 {
    let length =
        |vector: &HashMap<&str, f64>| vector.values().map(|weight| weight * weight).sum::<f64>().sqrt();
    let shared: f64 = one.iter().filter_map(|(stem, weight)| Some(weight * other.get(stem)?)).sum();
    let lengths = length(one) * length(other);
    if lengths > 0.0 { shared / lengths } else { 0.0 }
}

/// The words that most of these questions have, as one of them writes them.
fn name(members: &[usize], questions: &[&str]) -> Vec<String> {
    // By stem: in how many questions, and the first writing of it.
    let mut counts: BTreeMap<String, (usize, usize, String)> = BTreeMap::new();
    for (order, member) in members.iter().enumerate() {
        let mut seen = HashSet::new();
        let weighty: HashSet<String> = Weighty::of(questions[*member]).stems.into_iter().collect();
        for word in split(questions[*member]) {
            let stem = stem(&word);
            if weighty.contains(&stem) && seen.insert(stem.clone()) {
                counts.entry(stem).or_insert((0, order, word)).0 += 1;
            }
        }
    }
    let shared = if members.len() > 1 { 2 } else { 1 };
    let mut words: Vec<(usize, usize, String)> =
        counts.into_values().filter(|(count, ..)| *count >= shared).collect();
    words.sort_by(|(count, order, word), (other, later, second)| {
        other.cmp(count).then(order.cmp(later)).then_with(|| word.cmp(second))
    });
    words.into_iter().take(WORDS).map(|(_, _, word)| word).collect()
}
