//! `banyan model load` and `unload`: what is in the running engine's memory.

use anyhow::{Context, Result, bail};
use banyan_openai::{Client, ClientError, ErrorBody};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};

use crate::paths::Paths;
use crate::status;

/// Waits until the model is there.
pub(crate) fn load(paths: &Paths, name: &str) -> Result<()> {
    crate::on_one_thread(ask(paths, name, "load"))?;
    println!(
        "{name} is loaded. It goes again when others need its place; `keep_loaded` in the settings prevents that."
    );
    Ok(())
}

/// Waits until its answers have ended and its memory is free.
pub(crate) fn unload(paths: &Paths, name: &str) -> Result<()> {
    crate::on_one_thread(ask(paths, name, "unload"))?;
    println!("{name} is unloaded. It comes back when a request names it.");
    Ok(())
}

async fn ask(paths: &Paths, name: &str, what: &str) -> Result<()> {
    if !banyan_modelpack::manifest::is_valid_name(name) {
        bail!("\"{name}\" cannot be a model's name; `banyan model list` shows those that are there");
    }
    let request = Request::post(format!("/v1/models/{name}/{what}")).body(Empty::<Bytes>::new())?;
    let response = match Client::new(paths.engine_socket()).forward(request).await {
        Ok(response) => response,
        Err(ClientError::NotRunning { .. }) => bail!("{}", status::not_running(paths)),
        Err(error) => return Err(error).context("the engine did not answer"),
    };
    let status = response.status();
    let body = response.into_body().collect().await.context("the engine's answer was cut off")?.to_bytes();
    if !status.is_success() {
        let words = serde_json::from_slice::<ErrorBody>(&body).map(|body| body.error.message);
        bail!("{}", words.unwrap_or_else(|_| format!("the engine refused: {status}")));
    }
    Ok(())
}
