//! What members are called. Two members never have names that look the same but for case, width or composition.

use unicode_normalization::UnicodeNormalization as _;

use crate::error::Refusal;

/// The longest name, in characters: it stands in lists on small screens.
const MAX_CHARACTERS: usize = 40;

/// A member's name: how it is shown, and by what it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) shown: String,
    pub(crate) key: String,
}

impl Name {
    /// The name that somebody typed; refused in words when it cannot be one.
    pub(crate) fn new(text: &str) -> Result<Self, Refusal> {
        let shown = text.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect::<String>();
        let refuse =
            |code, message: &str| Err(Refusal::Invalid { field: "name", code, message: message.into() });
        if shown.is_empty() || !shown.chars().any(char::is_alphanumeric) {
            return refuse("name_empty", "a name needs at least one letter or digit");
        }
        if shown.chars().count() > MAX_CHARACTERS {
            return refuse("name_too_long", &format!("a name has at most {MAX_CHARACTERS} characters"));
        }
        if shown.chars().any(is_invisible) {
            return refuse(
                "name_invisible",
                "a name must not hold control characters or marks that nobody can see",
            );
        }
        let key = compared(&shown);
        Ok(Self { shown, key })
    }
}

/// By what a typed name is looked up; the same for every way of typing it.
pub(crate) fn compared(text: &str) -> String {
    // Up and down again, because some letters have one upper case and two lower ones (ß and ss, dotless i and i).
    let folded = text.nfkc().collect::<String>().to_uppercase().to_lowercase();
    let visible: String = folded.nfkc().filter(|character| !is_joiner(*character)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Marks that join or part letters in Persian and Indic names, or choose the look of a picture: shown as typed, not
/// compared.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Characters by which one name can be made to look like another: control characters, marks of direction, fillers.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'
                | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_the_same_are_the_same() {
        let cases = [
            ("Ana", "  ana "),
            ("Ana", "ＡＮＡ"),
            ("José", "Jose\u{301}"),
            ("Ana Maria", "ana \t  MARIA"),
            ("Strauß", "STRAUSS"),
            ("Ibrahim", "ıbrahim"),
            ("نیک‌نام", "نیکنام"),
            ("Σας", "ΣΑΣ"),
            ("Ana", "Ana\u{fe0f}"),
        ];
        for (one, other) in cases {
            assert_eq!(Name::new(one).unwrap().key, Name::new(other).unwrap().key, "{one} {other}");
            assert_eq!(Name::new(one).unwrap().key, compared(other), "{one} {other}");
        }
        for (one, other) in [("Ana", "Anna"), ("José", "Jose")] {
            assert_ne!(Name::new(one).unwrap().key, Name::new(other).unwrap().key, "{one} {other}");
        }
    }

    #[test]
    fn a_name_is_shown_as_it_was_typed_but_for_its_spaces() {
        assert_eq!(Name::new("  Mama   Asha ").unwrap().shown, "Mama Asha");
    }

    #[test]
    fn what_is_no_name_is_refused_in_words() {
        let long = "a".repeat(MAX_CHARACTERS + 1);
        let bad = ["", "  ", "…", "Ana\u{202e}x", "A\u{200b}na", "Ana\u{7}", "\u{3164}", "A\u{feff}", &*long];
        for text in bad {
            assert!(matches!(Name::new(text), Err(Refusal::Invalid { field: "name", .. })), "{text:?}");
        }
        // A line break is a space like another.
        assert_eq!(Name::new("Ana\nMaria").unwrap().shown, "Ana Maria");
    }
}
