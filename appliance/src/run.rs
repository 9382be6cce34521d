//! `banyan run`: opens the page's socket, greets, and hands over to the supervisor.

use std::net::SocketAddr;

use anyhow::Result;

use crate::paths::Paths;
use crate::{address, node, profile, supervisor};

pub(crate) async fn command(paths: &Paths, listen: Option<SocketAddr>) -> Result<()> {
    let profile = profile::load(&paths.profile)?;
    paths.prepare()?;
    // Before the port: "a box is running already" says more than "the port is taken".
    let lock = supervisor::lock::take(&paths.run_dir, &paths.data)?;
    let listener = address::listen(listen.unwrap_or(profile.portal.listen))?;
    let page = address::Page::at(listener.local_addr()?);
    let greet = || {
        println!("{}", page.greeting());
        if let Some(address) = node::setup_address(paths, &page.url()) {
            println!("  There is no community yet. Whoever opens this address founds it:\n  {address}\n");
        }
    };
    supervisor::run(paths, &profile.name, lock, listener, page.url(), greet).await?;
    Ok(())
}
