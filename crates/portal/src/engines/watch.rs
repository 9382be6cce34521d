//! Looks at each engine every few seconds, and at once when a question has failed there.

use std::sync::{Arc, Weak};
use std::time::Duration;

use banyan_openai::{ClientError, HealthStatus, Introduction};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::pool::{EngineId, EngineState, Sight};
use super::{Known, Shared};

/// Ends by itself when the last handle of the engines is gone.
pub(super) async fn watch(engines: Weak<Shared>, id: EngineId, wake: Arc<Notify>, soon: Duration) {
    loop {
        let Some(shared) = engines.upgrade() else { return };
        let client = shared.engines[id.0].client.clone();
        drop(shared);
        let seen = client.introduction().await;
        let Some(shared) = engines.upgrade() else { return };
        let next = take(&shared, id, seen, soon);
        drop(shared);
        // Time over or woken: look again either way.
        let _ = timeout(next, wake.notified()).await;
    }
}

fn take(shared: &Shared, id: EngineId, seen: Result<Introduction, ClientError>, soon: Duration) -> Duration {
    let sight = match seen {
        Ok(Introduction { health, maker }) => {
            let reason = health.reason.clone();
            let sight = match health.status {
                HealthStatus::Ready => Sight::Ready { slots: usize::try_from(health.slots).ok() },
                HealthStatus::Loading => {
                    Sight::Loading(reason.unwrap_or_else(|| "it reads its model".into()))
                }
                HealthStatus::Failed => Sight::Away(reason.unwrap_or_else(|| "it gives no reason".into())),
            };
            if health.status == HealthStatus::Ready {
                shared.learn(id, Known { maker, model: health.model, context: health.context_length });
            }
            sight
        }
        Err(error @ ClientError::Silent(_)) => Sight::Silent(error.to_string()),
        Err(ClientError::Loading(error)) => Sight::Loading(error.detail.message),
        Err(error) => Sight::Away(error.to_string()),
    };
    let now = Instant::now();
    let (before, after, reason, next) = shared.change(|pool| {
        let before = pool.entry(id).state;
        pool.looked(id, now, sight);
        let entry = pool.entry(id);
        (before, entry.state, entry.reason.clone(), pool.next_look(id, now, soon))
    });
    if before != after {
        let name = &shared.engines[id.0].name;
        match after {
            EngineState::Away => tracing::warn!(engine = name, reason, "an engine is away"),
            _ => tracing::info!(engine = name, state = ?after, "an engine's state has changed"),
        }
    }
    next
}
