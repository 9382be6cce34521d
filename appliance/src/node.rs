//! The node worker: opens the community's store, serves the portal to members, and answers the supervisor on a socket of
//! its own.
//!
//! Where the store cannot be opened, nobody is answered: without it the community's rules are not known. The page says
//! so, the supervisor is told why, and starts the node again every minute; what helps is done while it runs.

mod embed;
mod enact;
mod library;
mod store;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use axum::routing::get;
use axum::{Json, Router};
use banyan_assembly::Assembly;
use banyan_governance::Time;
use banyan_openai::{Client, Health, HealthStatus};
use banyan_portal::{EngineSpec, Portal, PortalConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) use self::store::{library_desk, rooms, setup_address};
use crate::cli::Listen;
use crate::infer::open_socket;
use crate::library::Desk;
use crate::paths::Paths;
use crate::settings::Settings;
use crate::{address, engine, lifeline};

pub(crate) async fn serve(paths: &Paths, listen: Listen) -> Result<()> {
    let listener = match listen {
        Listen::Stdin => inherited()?,
        Listen::Address(address) => address::listen(address)?,
    };
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener).context("the listening socket cannot be used")?;
    let listening = listener.local_addr()?;
    let models = embed::Models::new(Client::new(paths.engine_socket()));
    let (assembly, desk, trouble) = match open(paths, models.clone()).await {
        Ok((assembly, desk)) => (Some(assembly), Some(desk), None),
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::error!(%reason, "the community's store cannot be opened; nobody is answered until it can");
            (None, None, Some(reason))
        }
    };
    if let Some(assembly) = &assembly {
        assembly.spawn_clock(|| Time(jiff::Timestamp::now().as_second()));
        tokio::spawn(enact::follow(assembly.clone(), paths.clone()));
    }
    if let Some(desk) = &desk {
        desk.archives().start();
        tokio::spawn(embed::follow(models.clone(), desk.library().clone()));
        tokio::spawn(library::watch(desk.clone()));
    }
    let config = PortalConfig {
        library: desk.as_ref().map(|desk| desk.library().clone()),
        importer: desk.as_ref().map(|desk| desk.importer().clone()),
        zim: desk.as_ref().map(|desk| desk.archives().clone()),
        embedder: Some(models),
        public_url: Some(address::Page::at(listening).url()),
        engines: other_engines(paths),
        assembly,
        trouble: trouble.clone(),
        ..PortalConfig::new(paths.engine_socket(), &paths.data)
    };
    let portal = Portal::new(config);
    let own_socket = open_socket(paths.node_socket()).await?;
    let of_portal = portal.clone();
    let questions = Router::new()
        .route("/health", get(move || look_at(listening, trouble.clone())))
        .route("/engines", get(move || async move { Json(of_portal.engine_views()) }))
        .merge(library::routes(desk.clone()));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(own_socket, questions).await {
            tracing::error!(%error, "the supervisor cannot ask any more how the node is, and will replace it");
        }
    });
    let stop = async {
        if let Err(error) = lifeline::asked_to_stop().await {
            tracing::error!(%error, "signals cannot be received; the supervisor will end this process the hard way");
            std::future::pending::<()>().await;
        }
    };
    banyan_portal::serve(listener, portal, stop).await;
    // What is being taken in goes on at the next start.
    if let Some(desk) = desk {
        desk.stop();
    }
    Ok(())
}

/// Opening may bring an older store up to date, which takes a moment.
async fn open(paths: &Paths, models: std::sync::Arc<embed::Models>) -> Result<(Assembly, Desk)> {
    let paths = paths.clone();
    let opening = tokio::task::spawn_blocking(move || store::open(&paths, models));
    opening.await.context("opening the store met a mistake of ours")?
}

/// How the node is: as its page answers, and without its store not well however the page answers.
async fn look_at(listening: SocketAddr, trouble: Option<String>) -> Json<Health> {
    let mut health = look(listening).await;
    if let Some(reason) = trouble {
        health.status = HealthStatus::Failed;
        health.reason = Some(reason);
    }
    Json(health)
}

/// A mistake in the settings takes help away, never the box's own answers; `banyan doctor` says it too.
fn other_engines(paths: &Paths) -> Vec<EngineSpec> {
    let settings = Settings::load(&paths.settings()).unwrap_or_else(|error| {
        tracing::error!("{error}");
        Settings::default()
    });
    let specs = engine::specs(paths, &settings).into_iter();
    specs.filter_map(|spec| spec.inspect_err(|reason| tracing::error!("{reason}")).ok()).collect()
}

/// What the API looks like, for programs that write clients.
pub(crate) fn openapi() -> &'static str {
    banyan_portal::openapi_json()
}

/// The socket that the supervisor opened, passed on as standard input.
fn inherited() -> Result<std::net::TcpListener> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("standard input is not open")?;
    let listener = std::net::TcpListener::from(socket);
    listener.local_addr().context("standard input is not a listening socket; give --listen ADDRESS:PORT")?;
    Ok(listener)
}

/// Looks at the page the way a member does: only that shows that connections are still taken. Any answer counts, also
/// that the box is full. When the page says nothing, neither does this: the supervisor, which stops waiting by itself,
/// takes silence for what it is and replaces the node.
async fn look(listening: SocketAddr) -> Health {
    let mut health = Health::loading(env!("CARGO_PKG_VERSION"));
    match visit(listening).await {
        Ok(()) => health.status = HealthStatus::Ready,
        Err(error) => {
            health.status = HealthStatus::Failed;
            health.reason = Some(format!("the page at {listening} does not answer: {error}"));
        }
    }
    health
}

async fn visit(listening: SocketAddr) -> std::io::Result<()> {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut page = TcpStream::connect((ip, listening.port())).await?;
    page.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut word = [0_u8; 16];
    // Closed without a word is an answer too: it comes from the loop that takes connections.
    page.read(&mut word).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_vouches_for_a_page_that_takes_connections_and_says_nothing() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let looking = look(silent.local_addr().unwrap());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(100), looking).await.is_err());
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listening = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(look(listening).await.status, HealthStatus::Failed);
    }
}
