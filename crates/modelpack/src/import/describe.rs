//! What a source says of itself: its name, its licence, its notices.

use crate::source::SourceError;
use crate::source::gguf::Gguf;
use crate::source::hf::HfFolder;
use std::path::Path;

/// Bytes of a licence or notice that are copied into the pack.
const MAX_TEXT: usize = 1 << 20;

/// A source's own words.
pub(super) struct About {
    /// Candidates for the pack's name, the best first.
    pub(super) names: Vec<String>,
    pub(super) licence: Option<String>,
    /// `LICENSE` and `NOTICE`, as far as they are known.
    pub(super) texts: Vec<(&'static str, Vec<u8>)>,
}

/// The file's name is what people know a GGUF by; its metadata often keeps the name of a training run.
pub(super) fn gguf(file: &Gguf, path: &Path) -> About {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut names: Vec<String> = Vec::new();
    if !is_generic(&stem) {
        names.push(without_precision(&stem).into());
    }
    names.extend(file.text("general.name").map(str::to_owned));
    names.push("model".into());
    let licence = file.text("general.license.name").or_else(|| file.text("general.license")).map(line);
    let lines = [
        ("Model", file.text("general.name")),
        ("Author", file.text("general.author").or_else(|| file.text("general.organization"))),
        ("Licence", licence.as_deref()),
        ("Licence text", file.text("general.license.link")),
        ("Source", file.text("general.source.url").or_else(|| file.text("general.url"))),
    ];
    let known = lines.iter().filter_map(|(what, text)| text.map(|text| format!("{what}: {}\n", line(text))));
    let notice: String = known.collect();
    let texts = if notice.is_empty() { Vec::new() } else { vec![("NOTICE", notice.into_bytes())] };
    About { names, licence, texts }
}

/// The folder's name, unless it says nothing; then the heading of its README.
pub(super) fn folder(folder: &HfFolder, path: &Path) -> Result<About, SourceError> {
    let readme = folder.bytes("README.md")?.unwrap_or_default();
    let readme = String::from_utf8_lossy(&readme);
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let mut names = Vec::new();
    if !is_generic(&own) {
        names.push(own.into_owned());
    }
    names.extend(readme.lines().find_map(|line| line.strip_prefix("# ")).map(str::to_owned));
    names.extend(path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()));
    names.push("model".into());
    let mut texts = Vec::new();
    for (kept, candidates) in [
        ("LICENSE", ["LICENSE", "LICENSE.txt", "LICENSE.md"]),
        ("NOTICE", ["NOTICE", "NOTICE.txt", "USE_POLICY.md"]),
    ] {
        for candidate in candidates {
            if let Some(text) = folder.bytes(candidate)?.filter(|text| text.len() <= MAX_TEXT) {
                texts.push((kept, text));
                break;
            }
        }
    }
    Ok(About { names, licence: front_matter_licence(&readme), texts })
}

/// `license: …` of the block between `---` at the top of a README.
fn front_matter_licence(readme: &str) -> Option<String> {
    let block = readme.strip_prefix("---")?.split("\n---").next()?;
    let value = block.lines().find_map(|line| line.strip_prefix("license:"))?;
    Some(line(value.trim().trim_matches(['"', '\'']))).filter(|licence| !licence.is_empty())
}

/// One bounded line: these words end up in a manifest that people read.
fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A pack name: lower case, everything else one dash, at most 64 bytes.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' | '.' => slug.push(c),
            _ if slug.ends_with(['-', '.']) || slug.is_empty() => {}
            _ => slug.push('-'),
        }
        if slug.len() == 64 {
            break;
        }
    }
    slug.trim_matches(['-', '.']).to_owned()
}

/// `SmolLM2-135M-Instruct.Q4_1` → `SmolLM2-135M-Instruct`.
fn without_precision(stem: &str) -> &str {
    let Some((name, last)) = stem.rsplit_once(['.', '-']) else { return stem };
    let last = last.to_ascii_lowercase();
    let digit_second = |first: &str| {
        last.strip_prefix(first).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let precision = matches!(last.as_str(), "f32" | "f16" | "bf16" | "fp16" | "fp32");
    if precision || ((digit_second("q") || digit_second("iq")) && last.contains('_')) { name } else { stem }
}

/// Names that caches and archives give, which say nothing of the model.
fn is_generic(name: &str) -> bool {
    let plain = ["model", "models", "main", "snapshot", "ggml-model", "gguf", "weights", "download", ""];
    let hash = name.trim_start_matches("sha256-");
    plain.contains(&name.to_ascii_lowercase().as_str())
        || (hash.len() >= 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_is_named_after_what_people_call_the_model() {
        let cases = [
            ("SmolLM2-135M-Instruct.Q4_1", "smollm2-135m-instruct"),
            ("Qwen2.5-0.5B-Instruct-q5_k_m", "qwen2.5-0.5b-instruct"),
            ("Llama-3.2-1B-Instruct-BF16", "llama-3.2-1b-instruct"),
            ("all-MiniLM-L6-v2", "all-minilm-l6-v2"),
            ("Mistral 7B – v0.3 (été)", "mistral-7b-v0.3-t"),
            ("../../etc", "etc"),
        ];
        for (stem, name) in cases {
            assert_eq!(slug(without_precision(stem)), name, "{stem}");
        }
        assert!(is_generic("model") && is_generic(&"ab".repeat(20)) && !is_generic("smollm2"));
    }

    #[test]
    fn the_licence_is_read_from_the_front_matter_only() {
        assert_eq!(
            front_matter_licence("---\nlanguage: en\nlicense: apache-2.0\n---\n# M"),
            Some("apache-2.0".into())
        );
        assert_eq!(front_matter_licence("# M\nlicense: mit\n"), None);
    }
}
