//! Which language a text is in.

use crate::Block;

/// So much of a text is looked at: more does not make it surer.
const SAMPLE: usize = 4000;
/// With less, a guess is worse than none.
const LEAST: usize = 40;

/// A language tag (BCP 47) in its usual writing, when it is one: `pt_BR` is `pt-BR`.
pub(super) fn tag(raw: &str) -> Option<String> {
    let mut parts = raw.trim().split(['-', '_']);
    let language = parts.next()?.to_ascii_lowercase();
    let letters = |text: &str| text.bytes().all(|b| b.is_ascii_alphabetic());
    if !(2..=3).contains(&language.len()) || !letters(&language) || matches!(language.as_str(), "und" | "zxx")
    {
        return None;
    }
    let mut tag = language;
    for part in parts {
        match part.len() {
            2 if letters(part) => tag.push_str(&format!("-{}", part.to_ascii_uppercase())),
            4 if letters(part) => {
                let (first, rest) = part.split_at(1);
                tag.push_str(&format!("-{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase()));
            }
            // Variants say nothing that search needs.
            _ => break,
        }
    }
    Some(tag)
}

/// The language of a text, when it is clear.
pub(super) fn recognize(blocks: &[Block]) -> Option<String> {
    let mut sample = String::new();
    for block in blocks {
        if sample.len() >= SAMPLE {
            break;
        }
        sample.extend(block.text.chars().take(SAMPLE));
        sample.push('\n');
    }
    if sample.chars().filter(|c| c.is_alphabetic()).count() < LEAST {
        return None;
    }
    let found = whatlang::detect(&sample)?;
    found.is_reliable().then(|| two_letters(found.lang().code()).to_owned())
}

/// BCP 47 wants the two letters of ISO 639-1 where there are two.
fn two_letters(three: &str) -> &str {
    const SHORT: &str = "afr af, aka ak, amh am, ara ar, aze az, bel be, ben bn, bul bg, cat ca, ces cs, cmn zh, dan da, \
         deu de, ell el, eng en, epo eo, est et, fin fi, fra fr, guj gu, heb he, hin hi, hrv hr, hun hu, \
         hye hy, ind id, ita it, jav jv, jpn ja, kan kn, kat ka, khm km, kor ko, lat la, lav lv, lit lt, \
         mal ml, mar mr, mkd mk, mya my, nep ne, nld nl, nob nb, ori or, pan pa, pes fa, pol pl, por pt, \
         ron ro, rus ru, sin si, slk sk, slv sl, sna sn, spa es, srp sr, swe sv, tam ta, tel te, tgl tl, \
         tha th, tuk tk, tur tr, ukr uk, urd ur, uzb uz, vie vi, yid yi, zul zu, cym cy";
    let mut pairs = SHORT.split(", ").filter_map(|pair| pair.split_once(' '));
    pairs.find(|(long, _)| *long == three).map_or(three, |(_, short)| short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockKind;

    #[test]
    fn tags_are_written_in_one_way_and_nonsense_is_none() {
        assert_eq!(tag("EN").as_deref(), Some("en"));
        assert_eq!(tag("pt_br").as_deref(), Some("pt-BR"));
        assert_eq!(tag("zh-hans-cn").as_deref(), Some("zh-Hans-CN"));
        assert_eq!(tag("de-1996").as_deref(), Some("de"));
        for nonsense in ["", "x", "und", "e1", "'; DROP TABLE", "english"] {
            assert_eq!(tag(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_language_is_recognized_when_there_is_enough_of_it() {
        let block = |text: &str| [Block { kind: BlockKind::Paragraph, text: text.into(), page: None }];
        let spanish = "Toda persona tiene derecho a la libertad de opinión y de expresión; este derecho incluye el \
                       de no ser molestado a causa de sus opiniones y el de investigar y recibir informaciones.";
        assert_eq!(recognize(&block(spanish)).as_deref(), Some("es"));
        assert_eq!(recognize(&block("Sí.")), None);
    }
}
