//! A model's text as HTML: escaped, in paragraphs, written piece by piece as it comes.

/// Writes text as paragraphs. Wherever the text is cut into pieces, the HTML is the same.
///
/// A blank line ends a paragraph, a single line break stays one. Nothing in the text can become markup, and control
/// characters are left out: some browsers stop reading at a NUL.
#[derive(Debug, Default)]
pub(crate) struct Paragraphs {
    open: bool,
    breaks: usize,
}

impl Paragraphs {
    /// Adds a piece.
    pub(crate) fn push(&mut self, text: &str, out: &mut String) {
        for character in text.chars() {
            match character {
                '\n' => self.breaks += 1,
                ' ' | '\t' if self.breaks > 0 || !self.open => {}
                _ if character.is_control() && character != '\t' => {}
                _ => {
                    self.begin(out);
                    escape(character, out);
                }
            }
        }
    }

    /// Adds what is markup already.
    pub(crate) fn push_markup(&mut self, html: &str, out: &mut String) {
        self.begin(out);
        out.push_str(html);
    }

    /// Ends the last paragraph.
    pub(crate) fn end(&mut self, out: &mut String) {
        if std::mem::take(&mut self.open) {
            out.push_str("</p>");
        }
        self.breaks = 0;
    }

    /// What has to stand before the next visible character. `dir="auto"`: an answer may mix languages, and each
    /// paragraph runs in its own direction.
    fn begin(&mut self, out: &mut String) {
        let breaks = std::mem::take(&mut self.breaks);
        if !self.open {
            out.push_str("<p dir=\"auto\">");
        } else if breaks == 1 {
            out.push_str("<br>");
        } else if breaks > 1 {
            out.push_str("</p>\n<p dir=\"auto\">");
        }
        self.open = true;
    }
}

pub(crate) fn escape(character: char, out: &mut String) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        _ => out.push(character),
    }
}

/// A whole text as paragraphs.
pub(crate) fn paragraphs(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut paragraphs = Paragraphs::default();
    paragraphs.push(text, &mut out);
    paragraphs.end(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blank_lines_make_paragraphs_and_single_breaks_stay() {
        let cases = [
            ("", ""),
            ("\n\n", ""),
            ("one", "<p dir=\"auto\">one</p>"),
            ("\n one\ntwo\n", "<p dir=\"auto\">one<br>two</p>"),
            ("one\n \n\ntwo", "<p dir=\"auto\">one</p>\n<p dir=\"auto\">two</p>"),
            ("a\r\nb\0c\u{1b}[31m", "<p dir=\"auto\">a<br>bc[31m</p>"),
        ];
        for (text, html) in cases {
            assert_eq!(paragraphs(text), html, "{text:?}");
        }
    }

    #[test]
    fn nothing_in_the_text_becomes_markup() {
        let html = paragraphs("<script>alert('x')</script> \"&amp;\" </p></main>");
        assert_eq!(
            html,
            "<p dir=\"auto\">&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &quot;&amp;amp;&quot; &lt;/p&gt;&lt;/main&gt;</p>"
        );
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_html_and_no_foreign_tag(pieces in proptest::collection::vec("[<>&'\"a \n\r\t\u{0}é]{0,8}", 0..8)) {
            let mut out = String::new();
            let mut writer = Paragraphs::default();
            for piece in &pieces {
                writer.push(piece, &mut out);
            }
            writer.end(&mut out);
            prop_assert_eq!(&out, &paragraphs(&pieces.concat()));
            let foreign = out.replace("<p dir=\"auto\">", "").replace("</p>", "").replace("<br>", "");
            prop_assert!(!foreign.contains(['<', '>', '"', '\'']), "{}", foreign);
        }
    }
}
