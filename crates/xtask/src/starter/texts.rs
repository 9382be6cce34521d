//! From the JSON of the wheels to Markdown that people read: one file for each subject and initial letter, or for each
//! kind of recipe, with a heading for each article, so that a citation names both.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// Subjects of the English texts, as their collector named them, and what they are called here. What has no subject
/// there are the thousand articles that are thought to matter most. People, places, arts and history stay out: a
/// starter is small.
const ENGLISH: [(&str, &str); 4] = [
    ("Uncategorized", "The essentials"),
    ("Biology and health sciences", "Health and living things"),
    ("Technology", "Techniques and tools"),
    ("Society and social sciences", "Living together"),
];
const SPANISH: [(&str, &str); 1] = [("Tecnología", "Técnica y oficios")];

/// Kinds with fewer recipes than this stand together.
const FEW: usize = 3;
/// Where they do.
const OTHERS: &str = "Other recipes";

pub(super) fn english(json: &str, into: &Path) -> Result<()> {
    let origin =
        "Each text is the opening of the article of this name in the English Wikipedia, en.wikipedia.org.";
    articles(json, into, &ENGLISH, origin)
}

pub(super) fn spanish(json: &str, into: &Path) -> Result<()> {
    let origin =
        "Cada texto es el comienzo del artículo de este nombre en la Wikipedia en español, es.wikipedia.org.";
    articles(json, into, &SPANISH, origin)
}

fn articles(json: &str, into: &Path, subjects: &[(&str, &str)], origin: &str) -> Result<()> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for article in entries(json)? {
        let (Some(title), Some(words)) = (text(&article, "title"), text(&article, "extract")) else {
            continue;
        };
        let subject = text(&article, "topic").unwrap_or_default();
        let Some((_, name)) = subjects.iter().find(|(known, _)| *known == subject) else { continue };
        let file = format!("{name}: {}", initial(&title));
        let begun = files.entry(file).or_insert_with_key(|file| format!("# {}\n\n{origin}\n", escaped(file)));
        begun.push_str(&format!("\n## {}\n\n{}\n", escaped(&title), escaped(&words)));
    }
    write_all(&files, into)
}

pub(super) fn recipes(json: &str, into: &Path) -> Result<()> {
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for recipe in entries(json)? {
        let Some(kind) = text(&recipe, "category").and_then(|name| kind(&name)) else { continue };
        if let Some(words) = recipe_words(&recipe) {
            kinds.entry(kind).or_default().push(words);
        }
    }
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (kind, words) in kinds {
        let kind = if words.len() < FEW { OTHERS.to_owned() } else { kind };
        let begun = files.entry(kind).or_insert_with_key(|kind| {
            format!("# {}\n\nFrom the Cookbook of the English Wikibooks, en.wikibooks.org.\n", escaped(kind))
        });
        begun.extend(words);
    }
    write_all(&files, into)
}

/// "Recipes for dessert" and "Bread recipes" are kinds; what else stands there is a slip of the pen.
fn kind(category: &str) -> Option<String> {
    let category = category.trim_matches(|c: char| c.is_whitespace() || c == '\u{200e}');
    let name = match category.strip_prefix("Recipes for ") {
        Some(what) => format!("{} recipes", capital(what)),
        None if category.ends_with(" recipes") => capital(category),
        None => return None,
    };
    Some(name)
}

fn recipe_words(recipe: &Value) -> Option<String> {
    let title = text(recipe, "title")?;
    let lines = |key: &str| -> Vec<String> {
        let list = recipe.get(key).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(escaped)
            .filter(|line| !line.is_empty())
            .collect()
    };
    let (ingredients, steps) = (lines("ingredients"), lines("steps"));
    if ingredients.is_empty() || steps.is_empty() {
        return None;
    }
    let mut words = format!("\n## {}\n\n", escaped(&title));
    let facts = [("Servings", "servings"), ("Time", "time")];
    let facts: Vec<String> = facts
        .iter()
        .filter_map(|(name, key)| Some(format!("{name}: {}", escaped(&text(recipe, key)?))))
        .collect();
    if !facts.is_empty() {
        words.push_str(&format!("{}.\n\n", facts.join("; ")));
    }
    words.push_str(&format!("Ingredients: {}.\n\n", ingredients.join("; ")));
    for (at, step) in steps.iter().enumerate() {
        words.push_str(&format!("{}. {step}\n", at + 1));
    }
    Some(words)
}

/// The values of the one object that the file is, in the order of their names.
fn entries(json: &str) -> Result<Vec<Value>> {
    let all: BTreeMap<String, Value> =
        serde_json::from_str(json).context("it is not the JSON that was expected")?;
    Ok(all.into_values().collect())
}

fn text(entry: &Value, key: &str) -> Option<String> {
    let words = entry.get(key)?.as_str()?.trim();
    (!words.is_empty()).then(|| words.to_owned())
}

/// The letter under which a reader looks for it.
fn initial(title: &str) -> String {
    match title.chars().next() {
        Some(first) if first.is_alphabetic() => plain(first).to_string(),
        _ => "0–9".to_owned(),
    }
}

/// Without the accent that Spanish words begin with, as dictionaries sort them.
fn plain(letter: char) -> char {
    match letter.to_uppercase().next().unwrap_or(letter) {
        'Á' => 'A',
        'É' => 'E',
        'Í' => 'I',
        'Ó' | 'Ö' | 'Ø' => 'O',
        'Ú' | 'Ü' => 'U',
        other => other,
    }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Words that mean themselves in Markdown, in one line.
fn escaped(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for word in words.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        for letter in word.chars() {
            if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '&' | '~' | '|') {
                out.push('\\');
            }
            out.push(letter);
        }
    }
    out
}

fn write_all(files: &BTreeMap<String, String>, into: &Path) -> Result<()> {
    for (name, words) in files {
        let path = into.join(format!("{}.md", name.replace(['/', ':'], " ").replace("  ", " ")));
        fs::write(&path, words).with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(write: fn(&str, &Path) -> Result<()>, json: &str) -> BTreeMap<String, String> {
        let folder = tempfile::tempdir().unwrap();
        write(json, folder.path()).unwrap();
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        files.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
    }

    #[test]
    fn articles_stand_by_subject_and_letter_and_what_is_not_wanted_stays_out() {
        let json = r##"{
            "Malaria": {"title": "Malaria", "extract": "A *disease* <b>.", "topic": "Uncategorized"},
            "Water": {"title": "Water", "extract": "It is\nwet.", "topic": "Uncategorized"},
            "1 metre": {"title": "1 metre", "extract": "Short.", "topic": "Technology"},
            "Napoleon": {"title": "Napoleon", "extract": "An emperor.", "topic": "People"},
            "Empty": {"title": "Empty", "extract": " ", "topic": "Technology"}
        }"##;
        let files = made(english, json);
        let names: Vec<&String> = files.keys().collect();
        assert_eq!(names, ["Techniques and tools 0–9.md", "The essentials M.md", "The essentials W.md"]);
        let water = &files["The essentials W.md"];
        assert!(water.starts_with("# The essentials: W\n"), "{water}");
        assert!(water.contains("\n## Water\n\nIt is wet.\n"), "{water}");
        assert!(files["The essentials M.md"].contains(r"A \*disease\* \<b\>."));
    }

    #[test]
    fn recipes_stand_by_kind_and_the_rare_ones_together() {
        let recipe = |name: &str, kind: &str| {
            format!(
                r#""{name}": {{"title": "{name}", "category": "{kind}", "servings": "4", "time": null,
                    "ingredients": ["1 cup flour", "water"], "steps": ["Mix.", "Bake."]}}"#
            )
        };
        let bread = ["A", "B", "C"].map(|name| recipe(name, "Bread recipes"));
        let all = format!(
            "{{{}, {}, {}}}",
            bread.join(","),
            recipe("D", "Recipes for batters"),
            recipe("E", "60 minutes")
        );
        let files = made(recipes, &all);
        let names: Vec<&String> = files.keys().collect();
        assert_eq!(names, ["Bread recipes.md", "Other recipes.md"]);
        let words = &files["Bread recipes.md"];
        assert!(
            words.contains("## A\n\nServings: 4.\n\nIngredients: 1 cup flour; water.\n\n1. Mix.\n2. Bake.\n"),
            "{words}"
        );
        assert!(files["Other recipes.md"].contains("## D"));
        assert!(files.values().all(|words| !words.contains("## E")));
    }

    #[test]
    fn something_else_than_the_expected_json_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(english("[1, 2]", folder.path()).is_err());
    }
}
