//! Bringing connections in: how many, from whom, and how long they may take.
//!
//! `axum::serve` has no limit on connections, no time limit on a request's head and no deadline for stopping, so the
//! portal has its own loop on hyper. Whoever comes when the box is full is told so in words, by a page that costs
//! almost nothing to send.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::Portal;
use crate::guard::SECURITY_HEADERS;
use crate::language::Language;
use crate::visit::Peer;

/// How many connections, and how long what may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time, all together. A phone opens up to six, and a connection costs some 20 KiB.
    pub connections: usize,
    /// Connections at a time from one address (one /64 of IPv6), so that one phone cannot take them all.
    pub connections_per_address: usize,
    /// Whether programs on the box itself are spared the limit per address.
    pub spare_loopback: bool,
    /// For a request's head to arrive, and for a quiet connection to say something again.
    pub head_within: Duration,
    /// For a request's body to arrive: 8 MiB through weak Wi-Fi.
    pub body_within: Duration,
    /// For answers that are being written to come to their end when the portal stops.
    pub stop_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 32,
            spare_loopback: true,
            head_within: Duration::from_secs(15),
            body_within: Duration::from_secs(60),
            stop_within: Duration::from_secs(10),
        }
    }
}

/// The most bytes of a request's head. A long `Accept-Language` and a few cookies need two.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Refusals that may be written at a time; beyond that a connection is closed without words.
const MAX_REFUSALS: usize = 64;

/// How long a refused client may take to read why.
const REFUSAL_WITHIN: Duration = Duration::from_secs(3);

/// Pause after the system refused a connection (too many open files), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is done: then takes no new connections, lets the answers that are being written come to
/// their end for [`Limits::stop_within`], and cuts off the rest.
pub async fn serve(listener: TcpListener, portal: Portal, shutdown: impl Future<Output = ()>) {
    let limits = portal.limits().clone();
    portal.spawn_watch();
    let router = portal.router();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_within).max_buf_size(MAX_HEAD_BYTES);

    let gate = Gate::new(&limits);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            () = &mut shutdown => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match gate.admit(address) {
            Ok(place) => {
                // A word at a time must not wait for the next one to fill a packet.
                stream.set_nodelay(true).ok();
                let peer = Peer(one_subscriber(address.ip().to_canonical()));
                let service = router.clone().map_request(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(peer);
                    request
                });
                let service = TowerToHyperService::new(service);
                let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
                connections.spawn(async move {
                    let _place = place;
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                });
            }
            Err(Some(refusal)) => {
                connections.spawn(refuse(stream, refusal));
            }
            Err(None) => drop(stream),
        }
    }
    drop(listener);
    let all_done = async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    if timeout(limits.stop_within, all_done).await.is_err() {
        tracing::info!("answers that were still being written are cut off");
    }
    connections.shutdown().await;
    // Those that were written for somebody who is to come back have nowhere to go either.
    portal.answers().stop_all();
}

/// Who may come in.
struct Gate {
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address: usize,
    spare_loopback: bool,
}

/// A connection's place; dropping it gives it back.
struct Place {
    _permit: OwnedSemaphorePermit,
    address: Option<IpAddr>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The right to tell one client why it has no place.
struct Refusal {
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    fn new(limits: &Limits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.connections)),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            by_address: Arc::default(),
            per_address: limits.connections_per_address,
            spare_loopback: limits.spare_loopback,
        }
    }

    /// A place; or the right to a refusal in words; or, when there are too many even of those, nothing.
    fn admit(&self, address: SocketAddr) -> Result<Place, Option<Refusal>> {
        let refusal =
            || self.refusals.clone().try_acquire_owned().ok().map(|permit| Refusal { _permit: permit });
        let permit = self.places.clone().try_acquire_owned().map_err(|_| refusal())?;
        let address = address.ip().to_canonical();
        let counted = (!self.spare_loopback || !address.is_loopback()).then(|| one_subscriber(address));
        if let Some(address) = counted {
            let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(address).or_default();
            if *count >= self.per_address {
                return Err(refusal());
            }
            *count += 1;
        }
        Ok(Place { _permit: permit, address: counted, by_address: self.by_address.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

/// One device has a whole /64 of IPv6 to pick addresses from.
fn one_subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The answer to whoever finds the box full. Its request is not read before, so it has no language: all of them.
static FULL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut page = String::from(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>503</title>\n",
    );
    for language in Language::ALL {
        let (code, direction) = (language.code(), language.text("page.direction"));
        let what = language.text("page.error.busy.what");
        let todo = language.text("page.refused.503.text");
        page.push_str(&format!("<p lang=\"{code}\" dir=\"{direction}\"><b>{what}</b><br>{todo}</p>\n"));
    }
    let mut response = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nretry-after: 10\r\ncache-control: no-store\r\nconnection: close\r\n",
        page.len()
    );
    for (name, value) in SECURITY_HEADERS {
        response.push_str(&format!("{name}: {value}\r\n"));
    }
    response.push_str("\r\n");
    response.push_str(&page);
    response.into_bytes()
});

async fn refuse(mut stream: TcpStream, _refusal: Refusal) {
    let told = async {
        stream.write_all(&FULL).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection, and the client would never see the page.
        let mut rest = [0_u8; 4096];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    timeout(REFUSAL_WITHIN, told).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(connections: usize, connections_per_address: usize, spare_loopback: bool) -> Gate {
        Gate::new(&Limits { connections, connections_per_address, spare_loopback, ..Limits::default() })
    }

    fn from(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 5000)
    }

    #[test]
    fn one_phone_cannot_take_every_place() {
        let gate = gate(10, 2, true);
        let mut held = vec![gate.admit(from("10.0.0.7")).ok(), gate.admit(from("::ffff:10.0.0.7")).ok()];
        assert!(held.iter().all(Option::is_some));
        assert!(gate.admit(from("10.0.0.7")).is_err());
        assert!(gate.admit(from("10.0.0.8")).is_ok());
        held.pop();
        assert!(gate.admit(from("10.0.0.7")).is_ok());
    }

    #[test]
    fn an_ipv6_device_is_one_however_many_addresses_it_makes_up() {
        let gate = gate(10, 1, true);
        let _held = gate.admit(from("fd00:1:2:3::1")).ok().unwrap();
        assert!(gate.admit(from("fd00:1:2:3:ffff::2")).is_err());
        assert!(gate.admit(from("fd00:1:2:4::1")).is_ok());
    }

    #[test]
    fn the_boxs_own_programs_are_held_by_the_total_only() {
        let gate = gate(3, 1, true);
        let held: Vec<Place> = (0..3).map(|_| gate.admit(from("127.0.0.1")).ok().unwrap()).collect();
        assert!(gate.admit(from("127.0.0.1")).is_err());
        drop(held);
        assert_eq!(gate.by_address.lock().unwrap().len(), 0);
    }

    #[test]
    fn refusals_in_words_are_limited_too() {
        let gate = gate(0, 1, true);
        let refusals: Vec<Option<Refusal>> =
            (0..=MAX_REFUSALS).map(|_| gate.admit(from("10.0.0.7")).err().unwrap()).collect();
        assert_eq!(refusals.iter().filter(|refusal| refusal.is_none()).count(), 1);
    }
}
