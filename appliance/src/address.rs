//! The address that people type or scan: the listening socket, its name for phones, and a QR code for the terminal.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// Why the page's address cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(
        "port {port} is taken by another program; stop that one, or give another port: --listen {ip}:{next}"
    )]
    Taken { ip: IpAddr, port: u16, next: u16 },
    #[error("port {port} needs root; give one above 1023: --listen {ip}:8080")]
    Privileged { ip: IpAddr, port: u16 },
    #[error("{ip} is no address of this machine; 0.0.0.0 means all that it has: --listen 0.0.0.0:{port}")]
    NotHere { ip: IpAddr, port: u16 },
    #[error("{address} could not be opened: {source}")]
    Other { address: SocketAddr, source: std::io::Error },
}

/// Opens the socket that members connect to.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    use std::io::ErrorKind;
    let (ip, port) = (address.ip(), address.port());
    TcpListener::bind(address).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => ListenError::Taken { ip, port, next: port.checked_add(1).unwrap_or(8080) },
        ErrorKind::PermissionDenied => ListenError::Privileged { ip, port },
        ErrorKind::AddrNotAvailable => ListenError::NotHere { ip, port },
        _ => ListenError::Other { address, source },
    })
}

/// Where the page is, for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    listening: SocketAddr,
    ip: IpAddr,
}

impl Page {
    /// Of a socket that listens.
    pub(crate) fn at(listening: SocketAddr) -> Page {
        let ip = if listening.ip().is_unspecified() {
            lan_address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
        } else {
            listening.ip()
        };
        Page { listening, ip }
    }

    /// What to type into a browser.
    pub(crate) fn url(self) -> String {
        match self.listening.port() {
            80 => format!("http://{}", bracketed(self.ip)),
            port => format!("http://{}:{port}", bracketed(self.ip)),
        }
    }

    /// What `banyan run` prints once members are served.
    pub(crate) fn greeting(self) -> String {
        let url = self.url();
        let port = self.listening.port();
        let mut text = format!("\n  Banyan answers at  {url}\n\n");
        if !self.ip.is_loopback() {
            if let Some(code) = qr(&url) {
                text.push_str(&code);
                text.push_str("\n\n");
            }
            text.push_str("  Phones in the same network: scan the code, or type the address.\n");
        } else if self.listening.ip().is_unspecified() {
            text.push_str("  This machine is in no network yet: only a browser on it reaches the page.\n");
        }
        if self.listening.ip().is_unspecified() {
            text.push_str("  It listens on every network of this machine; ");
            text.push_str(&format!("--listen 127.0.0.1:{port} keeps it to this machine.\n"));
        }
        text.push_str(
            "  Ctrl-C stops it. In another terminal: banyan ask \"…\", banyan status, banyan doctor.\n",
        );
        text
    }
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The address under which other devices reach this machine: the one towards the rest of the world, or, without a way
/// there (a hotspot of its own), the first of a real network.
fn lan_address() -> Option<IpAddr> {
    towards_the_world().or_else(of_an_interface)
}

fn towards_the_world() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Sends nothing: for UDP this only asks the routing table. The address is one reserved for documentation.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

fn of_an_interface() -> Option<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().ok()?;
    // Bridges and pairs of containers are not where phones are.
    let is_real =
        |name: &str| !["lo", "docker", "veth", "br-", "virbr"].iter().any(|start| name.starts_with(start));
    interfaces
        .filter(|interface| is_real(&interface.interface_name))
        .filter_map(|interface| interface.address?.as_sockaddr_in().map(|address| IpAddr::V4(address.ip())))
        .find(|ip| !ip.is_loopback())
}

/// A QR code in half blocks; light on dark, with the quiet zone that cameras need.
fn qr(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let image = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    Some(image.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_told_with_another_one() {
        let first = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let taken = first.local_addr().unwrap();
        let message = listen(taken).unwrap_err().to_string();
        assert!(message.contains(&taken.port().to_string()) && message.contains("--listen"), "{message}");
    }

    fn page(ip: &str, listening: &str) -> Page {
        Page { ip: ip.parse().unwrap(), listening: listening.parse().unwrap() }
    }

    #[test]
    fn addresses_are_written_as_browsers_want_them() {
        for (listening, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("10.0.0.1:80", "http://10.0.0.1"),
            ("[fd00::1]:8080", "http://[fd00::1]:8080"),
        ] {
            assert_eq!(Page::at(listening.parse().unwrap()).url(), expected);
        }
        assert!(!Page::at("0.0.0.0:8080".parse().unwrap()).url().contains("0.0.0.0"));
    }

    #[test]
    fn the_greeting_has_a_code_for_phones_unless_they_cannot_reach_the_box() {
        for (ip, listening, code, network) in [
            ("10.0.0.1", "0.0.0.0:8080", true, false),
            ("127.0.0.1", "0.0.0.0:8080", false, true),
            ("127.0.0.1", "127.0.0.1:8080", false, false),
        ] {
            let text = page(ip, listening).greeting();
            assert_eq!(text.contains('█'), code, "{text}");
            assert_eq!(text.contains("in no network"), network, "{text}");
        }
    }
}
