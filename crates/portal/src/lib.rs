//! What members meet: pages that work without JavaScript, the web app, and the APIs.
//!
//! * [`Portal`] answers requests; [`serve()`] brings them in, with limits on how many and how long.
//! * Pages (`pages`) are written by the server and work on any phone with a browser. The web app (`assets`) mounts
//!   over them where it can.
//! * `/api` is the web app's, `/v1` is OpenAI's for programs with a key ([`ApiKeys`]).
//! * A question waits for its turn in `queue`; `engines` knows who can answer. One goes through `answer`: it waits for an
//!   engine that restarts, and goes to another before the first word. `answers` keeps what was said, so that a reload or
//!   a lost connection goes on where it was.
//! * `community` is who is signed in and what they may; the rules and the memory behind it are `banyan_assembly`'s.
//!   Without an assembly ([`PortalConfig::assembly`]) there are no members, and whoever can reach the portal may ask.
//! * `library` is the community's documents: reading, searching, giving and reviewing them; the rules and the memory
//!   behind it are `banyan_knowledge`'s.
//! * `moderation` is the policy in force in the way of every question and answer; each answer leaves an entry in the
//!   ledger that says by what it was made.
//!
//! Promises: every answer carries a content security policy that lets nothing run but this box's own files; nothing
//! that a member or a model wrote becomes markup; nobody
//! reads another's answer, and one that nobody listens to is stopped; a panic is a page in words.
//!
//! Deliberately absent: the model (it is another process, reached through a Unix socket), TLS, and any log of what was
//! asked.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use banyan_portal::{Portal, PortalConfig, serve};
//!
//! let config = PortalConfig::new("/run/banyan/infer.sock", "/var/lib/banyan");
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
//! serve(listener, Portal::new(config), async { tokio::signal::ctrl_c().await.ok(); }).await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod answers;
mod api;
mod assets;
mod body;
mod community;
mod download;
mod engines;
mod guard;
mod keys;
mod language;
mod library;
mod moderation;
mod pages;
mod portal;
mod queue;
mod serve;
mod v1;
mod visit;

pub use answer::Patience;
pub use engines::{EngineSpec, EngineState, EngineView, OWN_ENGINE};
pub use keys::{ApiKey, ApiKeys, KeyError, PREFIX as API_KEY_PREFIX};
pub use portal::{Portal, PortalConfig, openapi_json};
pub use queue::{
    Admission, BackgroundRule, Classes, CrisisRule, QueueSettings, Quota, Quotas, Rate, Weights,
};
pub use serve::{Limits, serve};
