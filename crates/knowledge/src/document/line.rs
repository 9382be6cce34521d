//! Short texts that people and files give: one line each, without anything that a page could stumble over.

use crate::library::LibraryError;

/// Characters of a title, a name, a licence. Longer ones are mostly a whole text in the wrong field.
pub(crate) const MAX_LINE: usize = 300;

/// Characters of a language's name: the longest in use, with script and region, have about a dozen.
const MAX_LANGUAGE: usize = 35;

/// White space made single, no control characters, nothing at the ends.
pub(crate) fn tidy(text: &str) -> String {
    let plain: String =
        text.chars().map(|one| if one.is_control() || one.is_whitespace() { ' ' } else { one }).collect();
    plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The same, and not too long.
pub(crate) fn optional(field: &'static str, text: &str) -> Result<String, LibraryError> {
    let line = tidy(text);
    if line.chars().count() > MAX_LINE {
        let message = format!("at most {MAX_LINE} characters; give a shorter one");
        return Err(LibraryError::Invalid { field, message });
    }
    Ok(line)
}

/// The same, and not empty.
pub(crate) fn required(field: &'static str, text: &str) -> Result<String, LibraryError> {
    let line = optional(field, text)?;
    if line.is_empty() {
        return Err(LibraryError::Invalid { field, message: "it is empty; give one".into() });
    }
    Ok(line)
}

/// What a file says of itself: never refused, cut where it is too long.
pub(crate) fn cut(text: &str) -> String {
    tidy(text).chars().take(MAX_LINE).collect()
}

/// A language as BCP 47 writes it, in lower case; none when it is empty.
pub(crate) fn language(text: &str) -> Result<Option<String>, LibraryError> {
    let language = tidy(text).to_lowercase();
    let well_formed = language.len() <= MAX_LANGUAGE
        && language
            .split('-')
            .all(|part| !part.is_empty() && part.chars().all(|one| one.is_ascii_alphanumeric()));
    match (language.is_empty(), well_formed) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(language)),
        (false, false) => Err(LibraryError::Invalid {
            field: "language",
            message: format!("\"{language}\" is no language tag; write it like en, sw or pt-br"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_made_single_and_what_is_no_line_is_refused_in_words() {
        assert_eq!(required("title", " Clean\u{0} \n water ").unwrap(), "Clean water");
        assert!(required("title", " \u{7} ").unwrap_err().to_string().contains("title: it is empty"));
        assert!(optional("author", &"x".repeat(301)).unwrap_err().to_string().contains("300"));
        assert_eq!(cut(&"x".repeat(400)).len(), 300);
        assert_eq!(language("pt-BR").unwrap(), Some("pt-br".into()));
        assert_eq!(language(" ").unwrap(), None);
        assert!(language("in English").unwrap_err().to_string().contains("like en"));
    }
}
