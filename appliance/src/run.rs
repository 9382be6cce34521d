//! `banyan run`: opens the page's socket, greets, and hands over to the supervisor.

use std::net::SocketAddr;

use anyhow::Result;

use crate::paths::Paths;
use crate::{address, profile, supervisor};

pub(crate) async fn command(paths: &Paths, listen: Option<SocketAddr>) -> Result<()> {
    let profile = profile::load(&paths.profile)?;
    paths.prepare()?;
    // Before the port: "a box is running already" says more than "the port is taken".
    let lock = supervisor::lock::take(&paths.run_dir, &paths.data)?;
    let listener = address::listen(listen.unwrap_or(profile.portal.listen))?;
    let page = address::Page::at(listener.local_addr()?);
    let greet = || println!("{}", page.greeting());
    supervisor::run(paths, &profile.name, lock, listener, page.url(), greet).await?;
    Ok(())
}
