//! One question over HTTP, and when each part of its answer arrived.
//!
//! A thread for each member that sleeps until bytes come: it shares the machine with the server it measures, so an event
//! is only searched for the few words that count, and parsed where it is the last one.

use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::workload::Question;

/// A server says nothing for so long only when it is broken.
const SILENCE: Duration = Duration::from_secs(900);

/// The cookie that a member is known by.
const MEMBER: &str = "banyan_member=";

/// Where to ask.
#[derive(Clone, Default)]
pub(crate) struct Server {
    /// `http://host:port`
    pub(crate) base: String,
    pub(crate) key: Option<String>,
    pub(crate) wire: Wire,
}

/// How to ask.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Wire {
    /// `/v1/chat/completions`, as programs do.
    #[default]
    OpenAi,
    /// `/api/chat`, as members' phones do.
    Portal,
}

/// Whether members go on asking, and how many are served.
#[derive(Default)]
pub(crate) struct Course {
    phase: AtomicU8,
    /// Members who have heard the first word of an answer.
    served: AtomicUsize,
    /// Questions under way.
    asking: AtomicUsize,
}

impl Course {
    /// Answers under way are heard to their end; nobody asks again.
    pub(crate) fn drain(&self) {
        self.phase.fetch_max(1, Ordering::Relaxed);
    }

    /// Everybody hangs up.
    pub(crate) fn end(&self) {
        self.phase.store(2, Ordering::Relaxed);
    }

    pub(crate) fn asks(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    pub(crate) fn asking(&self) -> usize {
        self.asking.load(Ordering::Relaxed)
    }

    fn hears(&self) -> bool {
        self.phase.load(Ordering::Relaxed) < 2
    }
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    Whole,
    /// The load generator hung up.
    #[default]
    HungUp,
    /// Refused in words: too many, too long, no place.
    Refused(String),
    Failed(String),
}

/// One answer; times in seconds since the run began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) member: usize,
    pub(crate) asked: f64,
    /// The first event of any kind that says "received" (`started` or `queued`).
    pub(crate) received: Option<f64>,
    /// When each piece of text came.
    pub(crate) pieces: Vec<f64>,
    pub(crate) ended: f64,
    /// From the server's own count; of an answer that was cut off, the pieces.
    pub(crate) tokens: usize,
    pub(crate) prompt_tokens: usize,
    pub(crate) cached_tokens: usize,
    pub(crate) outcome: Outcome,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn first_token_s(&self) -> Option<f64> {
        Some(self.pieces.first()? - self.asked)
    }

    /// One that had not begun when everybody hung up has waited until then at least; left out it would flatter.
    pub(crate) fn count_as_late(&mut self) {
        if self.outcome == Outcome::HungUp && self.pieces.is_empty() {
            self.pieces.push(self.ended);
        }
    }

    pub(crate) fn gaps(&self) -> impl Iterator<Item = f64> + '_ {
        self.pieces.windows(2).map(|pair| pair[1] - pair[0])
    }
}

/// A member's way to the server, one connection at a time.
pub(crate) struct Client {
    agent: ureq::Agent,
    server: Server,
    cookie: Option<String>,
    began: Instant,
    served: bool,
}

impl Client {
    pub(crate) fn new(server: &Server, began: Instant) -> Client {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_recv_response(Some(SILENCE))
            .timeout_recv_body(Some(SILENCE))
            // llama.cpp's server may close a connection after an answer just as the next question is sent on it.
            .max_idle_connections(0)
            .build();
        Client { agent: config.into(), server: server.clone(), cookie: None, began, served: false }
    }

    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Asks and listens until the end, or until the course ends.
    pub(crate) fn ask(&mut self, member: usize, question: &Question, course: &Course) -> Answer {
        let mut answer = Answer { member, asked: self.now(), ..Answer::default() };
        course.asking.fetch_add(1, Ordering::Relaxed);
        answer.outcome = match self.listen(question, course, &mut answer) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error.to_string()),
        };
        course.asking.fetch_sub(1, Ordering::Relaxed);
        answer.ended = self.now();
        if answer.tokens == 0 {
            answer.tokens = answer.pieces.len();
        }
        answer
    }

    /// A phone opens the page before its member asks, and is known by a cookie from then on.
    fn visit(&self) -> Result<String, Box<dyn std::error::Error>> {
        let response = self.agent.get(format!("{}/api/status", self.server.base)).call()?;
        let mut set = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let cookie = set.find_map(|set| set.split(';').next().filter(|pair| pair.starts_with(MEMBER)));
        Ok(cookie.ok_or("the portal gave no cookie to know the member by")?.to_owned())
    }

    fn listen(
        &mut self,
        question: &Question,
        course: &Course,
        answer: &mut Answer,
    ) -> Result<Outcome, Box<dyn std::error::Error>> {
        if self.server.wire == Wire::Portal && self.cookie.is_none() {
            self.cookie = Some(self.visit()?);
        }
        let (path, body) = match self.server.wire {
            Wire::OpenAi => ("/v1/chat/completions", openai_body(question)),
            // A phone sends the member's words only; what stands in front of them is the box's own policy.
            Wire::Portal => {
                let own = question.messages.iter().filter(|message| message["role"] != "system");
                let body = json!({
                    "messages": own.collect::<Vec<_>>(), "max_tokens": question.max_tokens, "temperature": 0.7,
                });
                ("/api/chat", body)
            }
        };
        let mut request =
            self.agent.post(format!("{}{path}", self.server.base)).header("content-type", "application/json");
        if let Some(key) = &self.server.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let mut response = request.send(body.to_string())?;
        let status = response.status().as_u16();
        if status != 200 {
            let text = response.body_mut().read_to_string().unwrap_or_default();
            let said = format!("{status} {}", text.trim());
            return Ok(if matches!(status, 429 | 503 | 413) {
                Outcome::Refused(said)
            } else {
                Outcome::Failed(said)
            });
        }
        let mut lines = BufReader::new(response.body_mut().as_reader());
        let mut line = String::new();
        while course.hears() {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                return Ok(Outcome::Failed("the stream ended without its last event".into()));
            }
            let Some(data) = line.trim_end().strip_prefix("data: ") else { continue };
            let ended = match self.server.wire {
                Wire::OpenAi => openai_event(data, self.now(), answer)?,
                Wire::Portal => portal_event(data, self.now(), answer)?,
            };
            if !self.served && !answer.pieces.is_empty() {
                self.served = true;
                course.served.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(outcome) = ended {
                return Ok(outcome);
            }
        }
        Ok(Outcome::HungUp)
    }
}

/// The same words to every server; what its own defaults would differ in is named.
fn openai_body(question: &Question) -> Value {
    json!({
        "messages": question.messages,
        "max_tokens": question.max_tokens,
        "temperature": 0.7,
        "top_p": 0.95,
        "seed": question.seed,
        "stream": true,
        "stream_options": {"include_usage": true},
    })
}

fn openai_event(
    data: &str,
    now: f64,
    answer: &mut Answer,
) -> Result<Option<Outcome>, Box<dyn std::error::Error>> {
    if data == "[DONE]" {
        return Ok(Some(Outcome::Whole));
    }
    let event: Value = serde_json::from_str(data)?;
    if let Some(error) = event.get("error") {
        return Ok(Some(Outcome::Failed(error.to_string())));
    }
    if let Some(text) = event.pointer("/choices/0/delta/content").and_then(Value::as_str)
        && !text.is_empty()
    {
        answer.pieces.push(now);
        answer.text.push_str(text);
    }
    if let Some(usage) = event.get("usage").filter(|usage| usage.is_object()) {
        take_usage(usage, answer);
    }
    Ok(None)
}

fn portal_event(
    data: &str,
    now: f64,
    answer: &mut Answer,
) -> Result<Option<Outcome>, Box<dyn std::error::Error>> {
    let event: Value = serde_json::from_str(data)?;
    match event["type"].as_str().unwrap_or_default() {
        "started" | "queued" => {
            answer.received.get_or_insert(now);
        }
        "token" => {
            answer.pieces.push(now);
            answer.text.push_str(event["text"].as_str().unwrap_or_default());
        }
        "done" => {
            take_usage(&event["usage"], answer);
            return Ok(Some(Outcome::Whole));
        }
        "error" => {
            let refused =
                matches!(event["code"].as_str(), Some("quota" | "too_long_a_wait" | "busy" | "queue_full"));
            let said = event.to_string();
            return Ok(Some(if refused { Outcome::Refused(said) } else { Outcome::Failed(said) }));
        }
        _ => {}
    }
    Ok(None)
}

fn take_usage(usage: &Value, answer: &mut Answer) {
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).map(|count| count as usize);
    answer.tokens = count("/completion_tokens").unwrap_or(0);
    answer.prompt_tokens = count("/prompt_tokens").unwrap_or(0);
    answer.cached_tokens = count("/prompt_tokens_details/cached_tokens").unwrap_or(0);
}
