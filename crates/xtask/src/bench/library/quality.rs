//! What is found for judged questions: by words, by meaning, by both; beside bm25s and exact vectors in Python.

use std::fs;

use anyhow::Result;

use super::judge::{self, Found, Judged, Scores, ndcg};
use super::scene::Scene;
use super::watched::run;
use super::{Half, watched};
use crate::bench::Report;
use crate::shell::{note, say};

/// Both together must find better than the better of the two alone.
const OVER_THE_BETTER: f64 = 1.0 + 1e-6;

pub(super) fn measure(scene: &Scene, half: Half, report: &mut Report) -> Result<()> {
    let running = scene.start_box()?;
    let socket = Scene::engine(&running)?;
    say(
        "A library of the real texts; each passage gets its vector from the box's engine (once, some minutes)",
    );
    let (library, filled) = scene.fill("quality", 0, &socket)?;
    let passages = watched::number(&filled, "/passages");
    let (judged, lines) = judge::questions(half, &scene.corpus)?;
    note(&format!("{} questions, {passages} passages", judged.len()));
    let file = |name: &str| scene.folder.join(name);
    let (questions, asked) = (file("questions.jsonl"), file("questions.f32"));
    let (texts, vectors) = (file("real.jsonl"), file("real.f32"));
    let (ours, theirs) = (file("ours.jsonl"), file("reference.jsonl"));
    fs::write(&questions, lines)?;
    run(scene.measure().arg("rank").args([&library, &scene.kept]).arg(&socket).args([&questions, &ours]))?;
    run(scene.measure().arg("dump").args([&library, &scene.kept]).arg(&socket).args([&texts, &vectors]))?;
    run(scene.measure().arg("asked").arg(&scene.kept).arg(&socket).args([&questions, &asked]))?;
    run(scene.peers().arg("reference").args([&texts, &vectors, &questions, &asked, &theirs]))?;

    let of = |file, name| -> Result<(Found, Scores)> {
        let found = judge::found(file, name)?;
        let scores = Scores::of(&judged, &found);
        Ok((found, scores))
    };
    let (by_words, words) = of(&ours, "words")?;
    let (_, meaning) = of(&ours, "meaning")?;
    let (by_both, both) = of(&ours, "hybrid")?;
    let (_, bm25s) = of(&theirs, "words")?;
    let (_, exact) = of(&theirs, "meaning")?;
    let (_, reference) = of(&theirs, "hybrid")?;
    note(&compared(&judged, &by_both, &by_words));

    let ending = if half == Half::Tuning { ".tuning" } else { "" };
    let better = words.ndcg.max(meaning.ndcg);
    for (name, own, alone, reference) in [
        ("ndcg10", [words.ndcg, meaning.ndcg, both.ndcg], better, [bm25s.ndcg, exact.ndcg, reference.ndcg]),
        (
            "recall20",
            [words.recall, meaning.recall, both.recall],
            words.recall.max(meaning.recall),
            [bm25s.recall, exact.recall, reference.recall],
        ),
    ] {
        let [own_words, own_meaning, own_both] = own;
        let [their_words, their_meaning, their_both] = reference;
        report.against(&format!("library.{name}{ending}"), own_both, "of 1", "better-alone", alone);
        report.against(&format!("library.{name}.words{ending}"), own_words, "of 1", "bm25s", their_words);
        report.against(
            &format!("library.{name}.meaning{ending}"),
            own_meaning,
            "of 1",
            "exact",
            their_meaning,
        );
        report.against(
            &format!("library.{name}.hybrid{ending}"),
            own_both,
            "of 1",
            "bm25s+exact",
            their_both,
        );
    }
    if half == Half::HeldOut {
        report.at_least("library.ndcg10 over the better alone", both.ndcg / better, OVER_THE_BETTER);
    }
    Ok(())
}

/// A mean may hide that half of the questions got worse.
fn compared(judged: &Judged, both: &Found, words: &Found) -> String {
    let empty = Vec::new();
    let score = |found: &Found, id: &String, relevant| ndcg(relevant, found.get(id).unwrap_or(&empty));
    let (mut better, mut worse) = (0, 0);
    for (id, relevant) in judged {
        let (both, words) = (score(both, id, relevant), score(words, id, relevant));
        better += usize::from(both > words);
        worse += usize::from(both < words);
    }
    format!(
        "by both instead of by words alone: {better} questions better, {worse} worse, of {}",
        judged.len()
    )
}
