//! What the model is told of a policy. What can be done without the model (closing words, disclaimers, declined
//! questions) is done by the box, which forgets nothing.

use crate::policy::{Policy, TopicAction};

/// The first words of every prompt. A model whose template is left without a system message puts its maker's own words
/// there; with those the starter model answers nonsense.
const BASE: &str = "You are a helpful assistant.";

impl Policy {
    /// What the model is told before every question. The same policy gives the same bytes, so that an engine computes
    /// them once for everybody; a policy that says nothing gives the base sentence alone.
    #[must_use]
    pub fn system_prompt(&self) -> String {
        let mut prompt = String::from(BASE);
        let mut say = |sentence: String| {
            prompt.push(' ');
            prompt.push_str(&sentence);
        };
        if let Some(persona) = on_one_line(&self.persona) {
            say(format!("Your name is {}.", persona.trim_end_matches('.')));
        }
        if let Some(style) = on_one_line(&self.style) {
            say(format!("Style: {}", with_stop(&style)));
        }
        if let Some(sentence) = self.languages_sentence() {
            say(sentence);
        }
        if let Some(tokens) = self.max_answer_tokens {
            // Three quarters of a word to a token is usual for English and too much for most other languages; half
            // leaves room for the last sentence.
            say(format!("Answer in at most {} words.", (tokens / 2).max(10)));
        }
        for (action, what) in [
            (TopicAction::Decline, "Do not talk about"),
            (TopicAction::HandOver, "Leave to people, and do not answer yourself, questions about"),
        ] {
            let names: Vec<_> = self
                .topics
                .iter()
                .filter(|topic| topic.action == action)
                .filter_map(|topic| on_one_line(&topic.name))
                .collect();
            if !names.is_empty() {
                say(format!("{what}: {}.", names.join(", ")));
            }
        }
        let values = self.values.trim();
        if !values.is_empty() {
            prompt.push_str("\nWhat this community holds dear:\n");
            prompt.push_str(values);
        }
        prompt
    }

    fn languages_sentence(&self) -> Option<String> {
        let names: Vec<_> = self.languages.iter().map(|tag| language_name(tag)).collect();
        match names.as_slice() {
            [] => None,
            [only] => Some(format!("Always answer in {only}.")),
            [first, ..] => Some(format!(
                "Answer in the language of the question if it is one of these: {}; otherwise in {first}.",
                names.join(", ")
            )),
        }
    }
}

fn on_one_line(text: &str) -> Option<String> {
    let words: Vec<_> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn with_stop(text: &str) -> String {
    let stops = text.ends_with(['.', '!', '?', '。', '؟', '।']);
    if stops { text.to_owned() } else { format!("{text}.") }
}

/// What a language is called in English, which the models at hand understand best; its tag where that is not known.
pub(super) fn language_name(tag: &str) -> &str {
    let primary = tag.split('-').next().unwrap_or(tag);
    NAMES.iter().find(|(code, _)| *code == primary).map_or(tag, |(_, name)| *name)
}

/// Languages with many speakers, and some that communities with boxes are likely to speak.
const NAMES: &[(&str, &str)] = &[
    ("af", "Afrikaans"),
    ("am", "Amharic"),
    ("ar", "Arabic"),
    ("ay", "Aymara"),
    ("bn", "Bengali"),
    ("ca", "Catalan"),
    ("cs", "Czech"),
    ("de", "German"),
    ("el", "Greek"),
    ("en", "English"),
    ("es", "Spanish"),
    ("eu", "Basque"),
    ("fa", "Persian"),
    ("ff", "Fula"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("gl", "Galician"),
    ("gn", "Guarani"),
    ("gu", "Gujarati"),
    ("ha", "Hausa"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("ht", "Haitian Creole"),
    ("hu", "Hungarian"),
    ("id", "Indonesian"),
    ("ig", "Igbo"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("km", "Khmer"),
    ("ko", "Korean"),
    ("ku", "Kurdish"),
    ("ln", "Lingala"),
    ("mr", "Marathi"),
    ("ms", "Malay"),
    ("my", "Burmese"),
    ("ne", "Nepali"),
    ("nl", "Dutch"),
    ("om", "Oromo"),
    ("pa", "Punjabi"),
    ("pl", "Polish"),
    ("ps", "Pashto"),
    ("pt", "Portuguese"),
    ("qu", "Quechua"),
    ("ro", "Romanian"),
    ("ru", "Russian"),
    ("rw", "Kinyarwanda"),
    ("sd", "Sindhi"),
    ("si", "Sinhala"),
    ("sn", "Shona"),
    ("so", "Somali"),
    ("sv", "Swedish"),
    ("sw", "Swahili"),
    ("ta", "Tamil"),
    ("te", "Telugu"),
    ("th", "Thai"),
    ("ti", "Tigrinya"),
    ("tl", "Tagalog"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("ur", "Urdu"),
    ("vi", "Vietnamese"),
    ("wo", "Wolof"),
    ("xh", "Xhosa"),
    ("yo", "Yoruba"),
    ("zh", "Chinese"),
    ("zu", "Zulu"),
];
