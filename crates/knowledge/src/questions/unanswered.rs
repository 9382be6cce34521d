//! What nobody has answered, by theme: what the library lacks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Question, QuestionListing, QuestionState, rows};
use crate::consent::Audience;
use crate::document::Reader;
use crate::ground;
use crate::library::{Library, LibraryError};

/// Open questions that are looked at: putting them together takes time in the square of their number.
const LOOKED_AT: u32 = 500;

/// Open questions about the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Theme {
    /// Words that they share; empty where they share none.
    pub theme: String,
    /// The questions, the newest first.
    pub questions: Vec<Question>,
}

impl Library {
    /// Open questions by theme, the largest theme first. The latest 500 are looked at. Who asked stands with none.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn unanswered(&self) -> Result<Vec<Theme>, LibraryError> {
        let questions = self.read_rows(|connection| {
            let reader = Reader::from(Audience::Members);
            let mut questions = Vec::new();
            loop {
                let skip = u32::try_from(questions.len()).unwrap_or(LOOKED_AT);
                let listing = QuestionListing { state: Some(QuestionState::Open), skip, limit: 0 };
                let page = rows::list(connection, &listing, &reader)?;
                if page.is_empty() || skip >= LOOKED_AT {
                    return Ok(questions);
                }
                questions.extend(page);
            }
        });
        let mut questions: Vec<Option<Question>> =
            questions.await?.into_iter().map(|question| Some(Question { by: None, ..question })).collect();
        let texts: Vec<&str> = questions.iter().flatten().map(|question| question.text.as_str()).collect();
        let clusters = ground::themes(&texts);
        let theme = |cluster: ground::Cluster| Theme {
            theme: cluster.words.join(", "),
            questions: cluster.questions.into_iter().filter_map(|place| questions[place].take()).collect(),
        };
        Ok(clusters.into_iter().map(theme).collect())
    }
}
