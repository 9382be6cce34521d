//! What an address asks for behind its `?`.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use banyan_openai::ApiError;
use http::request::Parts;

use crate::Portal;
use crate::community::Refused;

/// Names and values, in order.
pub(crate) struct Params(Vec<(String, String)>);

impl FromRequestParts<Portal> for Params {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _portal: &Portal) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts.uri.query().unwrap_or_default()))
    }
}

impl Params {
    pub(crate) fn of(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// All of them.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A value; what is empty is absent, as forms send it.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.trim());
        values.into_iter().find(|value| !value.is_empty())
    }

    /// All values of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.trim());
        values.filter(|value| !value.is_empty())
    }

    /// A value that is needed.
    pub(crate) fn needed(&self, name: &str) -> Result<&str, Refused> {
        self.text(name)
            .ok_or_else(|| ApiError::invalid_param(name, format!("{name}: it is missing; give one")).into())
    }

    /// A value that is a number or a name of something.
    pub(crate) fn read<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Refused> {
        self.text(name).map(|value| read(name, value)).transpose()
    }

    /// All of them.
    pub(crate) fn read_all<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Vec<T>, Refused> {
        self.all(name).map(|value| read(name, value)).collect()
    }
}

fn read<T: FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, Refused> {
    value.parse().map_err(|error: T::Err| ApiError::invalid_param(name, format!("{name}: {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_absent_and_what_is_no_number_is_refused_in_words() {
        let params = Params::of("q=+rain%20water+&language=&limit=5&from=x&language=en&language=sw");
        assert_eq!(params.text("q"), Some("rain water"));
        assert_eq!(params.all("language").collect::<Vec<_>>(), ["en", "sw"]);
        assert_eq!(params.read::<u32>("limit").unwrap(), Some(5));
        assert_eq!(params.read::<u32>("to").unwrap(), None);
        assert!(params.read::<u32>("from").is_err() && params.needed("name").is_err());
    }
}
