//! How long the portal waits for what.

use std::time::Duration;

/// How long to wait for what. The defaults are for people; tests are quicker.
#[derive(Debug, Clone)]
pub struct Patience {
    /// For an engine that is away to be back. The supervisor's first restarts take seconds, a starter model loads in
    /// two; beyond half a minute a person wants to know.
    pub engine_back: Duration,
    /// Between two looks whether it is back.
    pub look: Duration,
    /// For the engine to say how it is. It does so at once even while it computes; longer means that it hangs.
    pub sign_of_life: Duration,
    /// Of quiet before the first words, after which the engine is asked how it is and the member told.
    pub quiet: Duration,
    /// Between two words. A busy small box writes a word in well under this.
    pub between_words: Duration,
    /// Of quiet after which a sign of life is sent, so that no phone closes the connection.
    pub keep_alive: Duration,
    /// For somebody to listen again before an answer is stopped: a reload, a lost Wi-Fi, a phone that slept.
    pub nobody_listens: Duration,
    /// For an answer to be kept after its end.
    pub kept_answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            engine_back: Duration::from_secs(30),
            look: Duration::from_millis(500),
            sign_of_life: banyan_openai::client::PATIENCE,
            quiet: Duration::from_secs(4),
            between_words: Duration::from_secs(120),
            keep_alive: Duration::from_secs(10),
            nobody_listens: Duration::from_secs(60),
            kept_answer: Duration::from_secs(600),
        }
    }
}
