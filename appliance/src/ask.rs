//! `banyan ask`: a question from the command line, the answer streamed to standard output.

use std::io::{IsTerminal, Read, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use banyan_openai::{ChatMessage, ChatRequest, Client, ClientError, FinishReason, HealthStatus, Role};
use futures_util::StreamExt;

use crate::paths::Paths;
use crate::status::not_running;

/// The most that is read from standard input: far more than any model takes, far less than the memory.
const STDIN_AT_MOST: u64 = 1 << 20;
/// How long a loading engine is waited for.
const LOADING_AT_MOST: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The question; `-`, or none at all, reads it from standard input
    question: Vec<String>,
    /// How the model is to behave; empty leaves it to the model's own template
    #[arg(long, default_value = "You are a helpful assistant.")]
    system: String,
    /// The most tokens of the answer (a token is about three quarters of a word)
    #[arg(long)]
    max_tokens: Option<u32>,
    /// 0 always takes the likeliest word; higher is more varied
    #[arg(long)]
    temperature: Option<f32>,
    /// Which model, when the box serves several
    #[arg(long)]
    model: Option<String>,
}

pub(crate) async fn command(paths: &Paths, args: Args) -> Result<()> {
    let question = question(&args.question)?;
    let client = Client::new(paths.engine_socket());
    wait_until_ready(&client, paths).await?;
    let mut messages = Vec::new();
    // Without one, many templates put in a text of their maker, with which small models answer worse.
    if !args.system.is_empty() {
        messages.push(ChatMessage::new(Role::System, args.system));
    }
    messages.push(ChatMessage::new(Role::User, question));
    let mut request = ChatRequest::new(messages).streamed();
    request.model = args.model.unwrap_or_default();
    request.sampling.max_tokens = args.max_tokens;
    request.sampling.temperature = args.temperature;
    let cut = stream(&client, &request).await?;
    if cut {
        eprintln!("(cut off at its longest; --max-tokens allows more)");
    }
    Ok(())
}

/// Prints as it comes; true when the answer ended for its length.
async fn stream(client: &Client, request: &ChatRequest) -> Result<bool> {
    let mut stream = client.chat_stream(request).await?;
    let mut out = std::io::stdout().lock();
    let mut cut = false;
    while let Some(chunk) = stream.next().await {
        for choice in chunk?.choices {
            if let Some(text) = choice.delta.content {
                out.write_all(text.as_bytes())
                    .and_then(|()| out.flush())
                    .context("the answer could not be printed")?;
            }
            cut |= choice.finish_reason == Some(FinishReason::Length);
        }
    }
    writeln!(out).context("the answer could not be printed")?;
    Ok(cut)
}

fn question(words: &[String]) -> Result<String> {
    let typed = words.join(" ");
    if !typed.is_empty() && typed != "-" {
        return Ok(typed);
    }
    if std::io::stdin().is_terminal() {
        eprintln!("(type the question, then Ctrl-D)");
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(STDIN_AT_MOST)
        .read_to_string(&mut text)
        .context("the question on standard input is not text")?;
    if text.trim().is_empty() {
        bail!("there is no question; try: banyan ask \"What is a banyan?\"");
    }
    Ok(text)
}

/// A box that was just started is worth waiting for; one that is not there is not.
async fn wait_until_ready(client: &Client, paths: &Paths) -> Result<()> {
    let started = std::time::Instant::now();
    let mut told = false;
    loop {
        match client.health().await {
            Ok(health) => match health.status {
                HealthStatus::Ready => return Ok(()),
                HealthStatus::Failed => {
                    bail!(
                        "the engine cannot answer: {}",
                        health.reason.unwrap_or_else(|| "it does not say why".into())
                    )
                }
                HealthStatus::Loading => {}
            },
            // Between two engines, or none at all: the supervisor knows which.
            Err(ClientError::NotRunning { .. } | ClientError::GoneBeforeAnswer(_)) => {
                if crate::status::ask(paths).await?.is_none() {
                    bail!("{}", not_running(paths));
                }
            }
            Err(error) => return Err(error).context("the engine did not say how it is"),
        }
        if started.elapsed() > LOADING_AT_MOST {
            bail!(
                "the engine is still loading after {} s; `banyan status` says more",
                LOADING_AT_MOST.as_secs()
            );
        }
        if !std::mem::replace(&mut told, true) {
            eprintln!("(the engine is still loading)");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
