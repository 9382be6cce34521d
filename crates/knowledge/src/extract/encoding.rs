//! From bytes to Unicode: what the file says, what it begins with, or else what it looks like.

use std::borrow::Cow;

use chardetng::EncodingDetector;
use encoding_rs::{Encoding, UTF_8};

use super::words::Words;

/// More unreadable characters than one in so many, and a librarian should look at it.
const TOLERATED: usize = 500;

/// The text. `declared` is an encoding's name, as the file gives it.
pub(super) fn decode<'b>(bytes: &'b [u8], declared: Option<&[u8]>, words: &mut Words<'_>) -> Cow<'b, str> {
    // A byte order mark wins; `decode` looks for one first.
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => choose(bytes, declared),
    };
    let (text, _, malformed) = encoding.decode(bytes);
    if malformed {
        let lost = text.chars().filter(|&c| c == '\u{fffd}').count();
        if lost * TOLERATED > text.chars().count() {
            words.warn(format!(
                "{lost} characters could not be read: the file is damaged or its encoding is not {}",
                encoding.name()
            ));
        }
    }
    text
}

fn choose(bytes: &[u8], declared: Option<&[u8]>) -> &'static Encoding {
    // Files that say something else and are valid UTF-8 are UTF-8: the opposite mistake cannot happen by chance.
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    if let Some(encoding) = declared.and_then(Encoding::for_label) {
        return encoding;
    }
    let mut detector = EncodingDetector::new();
    detector.feed(bytes, true);
    detector.guess(None, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Format, Limits};

    #[test]
    fn every_common_encoding_is_read() {
        let limits = Limits::default();
        let check = |bytes: &[u8], declared: Option<&[u8]>, text: &str| {
            let mut words = Words::new(Format::Text, &limits);
            assert_eq!(decode(bytes, declared, &mut words), text);
        };
        check("água".as_bytes(), None, "água");
        check("água".as_bytes(), Some(b"iso-8859-1"), "água");
        check(b"\xff\xfeo\x00k\x00", None, "ok");
        check(b"\xfe\xff\x00o\x00k", None, "ok");
        check(b"A reuni\xe3o \xe9 amanh\xe3 \xe0s dez horas", None, "A reunião é amanhã às dez horas");
        let (cyrillic, _, _) = encoding_rs::WINDOWS_1251.encode("Собрание будет завтра в десять часов утра");
        check(&cyrillic, None, "Собрание будет завтра в десять часов утра");
        check(&cyrillic, Some(b"windows-1251"), "Собрание будет завтра в десять часов утра");
    }
}
