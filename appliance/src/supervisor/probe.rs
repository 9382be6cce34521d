//! Asking a worker how it is, again and again, until its process is gone.

use std::path::PathBuf;
use std::time::Duration;

use banyan_openai::{Client, HealthStatus};

use super::policy::Answer;

/// Between questions until the worker is ready: start-up is quick, and people wait for it.
const WHILE_STARTING: Duration = Duration::from_millis(100);
/// Between questions afterwards. A dead process is noticed at once without them; they are for hung ones.
const ONCE_READY: Duration = Duration::from_secs(2);

/// Asks for ever and tells each answer. No answer is told by silence.
pub(crate) async fn ask(socket: PathBuf, tell: impl Fn(Answer)) {
    let client = Client::new(socket);
    let mut pause = WHILE_STARTING;
    loop {
        tokio::time::sleep(pause).await;
        // The client gives up by itself after some seconds.
        if let Ok(health) = client.health().await {
            pause = if health.status == HealthStatus::Ready { ONCE_READY } else { WHILE_STARTING };
            tell(match health.status {
                HealthStatus::Ready => Answer::Ready,
                HealthStatus::Loading => Answer::Loading(health.reason),
                HealthStatus::Failed => {
                    pause = ONCE_READY;
                    Answer::Failed(health.reason.unwrap_or_else(|| "it does not say why".into()))
                }
            });
        }
    }
}
