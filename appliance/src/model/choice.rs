//! Which of the models that are there serve.

use banyan_modelpack::{Kind, Pack};

use crate::settings::ModelSettings;

/// A pack's name, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice<'a> {
    pub(crate) chat: Result<&'a str, String>,
    pub(crate) embedding: Result<&'a str, String>,
    pub(crate) reranker: Result<&'a str, String>,
}

impl<'a> Choice<'a> {
    /// Those that are there.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        [&self.chat, &self.embedding, &self.reranker].into_iter().filter_map(|one| one.as_ref().ok().copied())
    }
}

/// The named ones, else the first of each kind; `packs` in the order of their names.
pub(crate) fn choose<'a>(packs: &[&'a Pack], settings: &ModelSettings) -> Choice<'a> {
    let known: Vec<(&str, Kind)> =
        packs.iter().map(|pack| (pack.manifest().name.as_str(), pack.manifest().kind)).collect();
    Choice {
        chat: pick(&known, Kind::Decoder, settings.chat.as_deref()),
        embedding: pick(&known, Kind::Encoder, settings.embedding.as_deref()),
        reranker: pick(&known, Kind::Reranker, settings.reranker.as_deref()),
    }
}

fn pick<'a>(known: &[(&'a str, Kind)], kind: Kind, wanted: Option<&str>) -> Result<&'a str, String> {
    let does = match kind {
        Kind::Decoder => "answers questions",
        Kind::Encoder => "makes embeddings",
        Kind::Reranker => "re-ranks",
    };
    let of_kind = |name: &str| known.iter().find(|(other, of)| *of == kind && *other == name);
    let first = known.iter().find(|(_, of)| *of == kind);
    match wanted {
        Some(name) => of_kind(name).map(|(name, _)| *name).ok_or_else(|| {
            format!("the settings name {name}, but no model of that name {does}; see `banyan model list`")
        }),
        None => first
            .map(|(name, _)| *name)
            .ok_or_else(|| format!("there is no model that {does}; add one with `banyan model import FILE`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_model_serves_and_without_a_name_the_first_of_its_kind() {
        let known = [("a-encoder", Kind::Encoder), ("b-chat", Kind::Decoder), ("c-chat", Kind::Decoder)];
        assert_eq!(pick(&known, Kind::Decoder, None), Ok("b-chat"));
        assert_eq!(pick(&known, Kind::Decoder, Some("c-chat")), Ok("c-chat"));
        assert_eq!(pick(&known, Kind::Encoder, None), Ok("a-encoder"));
    }

    #[test]
    fn a_name_that_is_not_there_is_not_silently_replaced() {
        let known = [("a-encoder", Kind::Encoder), ("b-chat", Kind::Decoder)];
        for wanted in ["gone", "a-encoder"] {
            assert!(pick(&known, Kind::Decoder, Some(wanted)).unwrap_err().contains(wanted));
        }
        assert!(pick(&[], Kind::Decoder, None).unwrap_err().contains("banyan model import"));
    }
}
