//! The languages of the plain pages: which one a visitor gets, and its words.
//!
//! The words stand in `web/src/i18n/page.*.json`, beside those of the web app, and are part of the binary. A new
//! language is a file there and a variant here; a test holds that every file has every sentence.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    English,
    Spanish,
    Swahili,
    Arabic,
}

type Words = HashMap<String, String>;

static WORDS: LazyLock<[Words; 4]> = LazyLock::new(|| {
    [
        include_str!("../../../web/src/i18n/page.en.json"),
        include_str!("../../../web/src/i18n/page.es.json"),
        include_str!("../../../web/src/i18n/page.sw.json"),
        include_str!("../../../web/src/i18n/page.ar.json"),
    ]
    .map(|json| serde_json::from_str(json).expect("a test reads every language file, and they are built in"))
});

impl Language {
    /// In the order in which they are offered.
    pub(crate) const ALL: [Self; 4] = [Self::English, Self::Spanish, Self::Swahili, Self::Arabic];

    /// The code in `lang` attributes, addresses and cookies.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
            Self::Swahili => "sw",
            Self::Arabic => "ar",
        }
    }

    /// The name that its speakers give it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Español",
            Self::Swahili => "Kiswahili",
            Self::Arabic => "العربية",
        }
    }

    /// The language of a tag such as `sw-KE`.
    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(primary))
    }

    /// The best language of an `Accept-Language` header.
    pub(crate) fn from_accept(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in header.split(',').take(20) {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let quality =
                parameters.trim().strip_prefix("q=").map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
            let Some(language) = Self::from_tag(tag.trim()) else { continue };
            if quality > best.map_or(0.0, |(quality, _)| quality) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// A sentence in this language. A key that does not exist shows itself: that is how one finds it.
    pub(crate) fn text(self, key: &str) -> &str {
        WORDS[self as usize].get(key).map_or(key, String::as_str)
    }

    /// A sentence with its `{name}` places filled.
    pub(crate) fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        let mut sentence = self.text(key).to_owned();
        for (name, value) in values {
            sentence = sentence.replace(&format!("{{{name}}}"), value);
        }
        sentence
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn places(sentence: &str) -> BTreeSet<&str> {
        sentence.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_language_has_every_sentence_with_the_same_places_to_fill() {
        let english = &WORDS[0];
        for language in Language::ALL {
            let words = &WORDS[language as usize];
            for (key, sentence) in english {
                let other = words.get(key).unwrap_or_else(|| panic!("{language:?} lacks {key}"));
                assert_eq!(places(other), places(sentence), "{language:?} {key}");
                assert!(!other.trim().is_empty(), "{language:?} {key}");
            }
            assert_eq!(words.len(), english.len(), "{language:?} has sentences that nobody shows");
        }
    }

    #[test]
    fn the_browsers_wish_is_read_by_its_weights() {
        let cases = [
            ("sw-KE,sw;q=0.9,en;q=0.5", Some(Language::Swahili)),
            ("fr-FR, es;q=0.3, ar;q=0.7", Some(Language::Arabic)),
            ("EN_us", Some(Language::English)),
            ("fr, de;q=0.8", None),
            ("es;q=0", None),
            ("es;q=nonsense, en;q=0.1", Some(Language::English)),
            ("*", None),
            ("", None),
        ];
        for (header, expected) in cases {
            assert_eq!(Language::from_accept(header), expected, "{header}");
        }
    }

    #[test]
    fn a_place_to_fill_is_filled() {
        assert!(Language::English.fill("page.banner.busy", &[("n", "7")]).ends_with("waiting: 7."));
        assert_eq!(Language::Arabic.text("page.direction"), "rtl");
        assert_eq!(Language::English.text("page.nowhere"), "page.nowhere");
    }
}
