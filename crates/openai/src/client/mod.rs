//! HTTP/1.1 to an engine over a Unix socket or TCP, one connection a request.
//!
//! A connection a request costs some ten microseconds on a Unix socket, a fraction of a millisecond on a local network,
//! and buys a simple truth: whoever drops the answer closes the connection, and the engine cancels what it was
//! generating. Nothing has to be drained, and no pool can hand out a connection whose engine has died.

mod address;
mod error;
mod foreign;
mod key;
mod stream;

use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use self::address::{AddressError, EngineAddress, HttpAddress};
pub use self::error::ClientError;
pub use self::foreign::{Introduction, Maker};
pub use self::key::BearerKey;
pub use self::stream::ChatStream;
use crate::{
    ChatRequest, ChatResponse, EmbeddingRequest, EmbeddingResponse, Health, ModelList, RerankRequest,
    RerankResponse,
};

/// How long to wait for a connection and for the small answers (`/health`, `/v1/models`), which an engine gives at
/// once even while it computes. Longer means that it hangs.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Linux refuses longer Unix socket paths (`sun_path` has 108 bytes with the closing zero).
pub const MAX_SOCKET_PATH: usize = 107;

/// The most bytes of an error, of the model list and of the health.
const SMALL_BODY: usize = 1024 * 1024;

/// The most bytes of a whole answer: 2,048 embeddings of 1,024 numbers in decimal notation have about 25 MiB.
const LARGE_BODY: usize = 64 * 1024 * 1024;

/// A client of one engine. Cheap to clone; holds no connection.
#[derive(Debug, Clone)]
pub struct Client {
    address: EngineAddress,
    key: Option<BearerKey>,
    patience: Duration,
}

impl Client {
    /// A client of the engine at `socket`. Nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self::at(EngineAddress::Unix(socket.into()), None)
    }

    /// A client of an engine on another machine, with the key that it wants, if it wants one.
    #[must_use]
    pub fn http(address: HttpAddress, key: Option<BearerKey>) -> Self {
        Self::at(EngineAddress::Http(address), key)
    }

    /// A client of the engine at any address.
    #[must_use]
    pub fn at(address: EngineAddress, key: Option<BearerKey>) -> Self {
        Self { address, key, patience: PATIENCE }
    }

    /// The same client with another [`PATIENCE`].
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Where the engine listens.
    #[must_use]
    pub fn address(&self) -> &EngineAddress {
        &self.address
    }

    /// How the box's own engine is, also while it loads or has failed. Engines of other makers say it differently:
    /// [`Client::introduction`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        let response = self.get("/health").await?;
        match response.status() {
            StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => read_json(response, SMALL_BODY).await,
            _ => Err(refusal(response).await),
        }
    }

    /// The models that the engine serves.
    pub async fn models(&self) -> Result<ModelList, ClientError> {
        read_json(accepted(self.get("/v1/models").await?).await?, SMALL_BODY).await
    }

    /// Asks for a whole answer.
    pub async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, ClientError> {
        let response = self.post("/v1/chat/completions", request).await?;
        read_json(accepted(response).await?, LARGE_BODY).await
    }

    /// Asks for an answer piece by piece. `request` should be [streamed](ChatRequest::streamed).
    /// Dropping the stream cancels the generation.
    pub async fn chat_stream(&self, request: &ChatRequest) -> Result<ChatStream, ClientError> {
        let response = accepted(self.post("/v1/chat/completions", request).await?).await?;
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        if !is_stream {
            return Err(ClientError::Garbled("a stream was asked for and something else came".into()));
        }
        Ok(ChatStream::new(response.into_body()))
    }

    /// Asks for embeddings.
    pub async fn embeddings(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, ClientError> {
        let response = self.post("/v1/embeddings", request).await?;
        read_json(accepted(response).await?, LARGE_BODY).await
    }

    /// Asks which of some documents answers a question.
    pub async fn rerank(&self, request: &RerankRequest) -> Result<RerankResponse, ClientError> {
        let response = self.post("/v1/rerank", request).await?;
        read_json(accepted(response).await?, LARGE_BODY).await
    }

    /// Passes any request on as it is, less the headers that concern only the connection it came by. The body is
    /// streamed both ways; dropping the answer closes the connection.
    pub async fn forward<B>(&self, request: Request<B>) -> Result<Response<EngineBody>, ClientError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = path
            .parse::<Uri>()
            .map_err(|_| ClientError::Garbled(format!("\"{path}\" is not a path that can be asked for")))?;
        strip_connection_headers(&mut parts.headers);
        let mut response = self.send(Request::from_parts(parts, body)).await?;
        strip_connection_headers(response.headers_mut());
        Ok(response)
    }

    async fn get(&self, path: &'static str) -> Result<Response<EngineBody>, ClientError> {
        let request = request(Method::GET, path, Bytes::new());
        timeout(self.patience, self.send(request)).await.map_err(|_| ClientError::Silent(self.patience))?
    }

    async fn post(
        &self,
        path: &'static str,
        body: &impl Serialize,
    ) -> Result<Response<EngineBody>, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Garbled(error.to_string()))?;
        self.send(request(Method::POST, path, body.into())).await
    }

    async fn send<B>(&self, mut request: Request<B>) -> Result<Response<EngineBody>, ClientError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.direct(&mut request)?;
        let unreachable = |source| ClientError::NotRunning { address: self.address.clone(), source };
        match &self.address {
            EngineAddress::Unix(socket) => {
                let length = socket.as_os_str().len();
                if length > MAX_SOCKET_PATH {
                    return Err(ClientError::SocketPathTooLong { socket: socket.clone(), length });
                }
                let stream = self.patiently(UnixStream::connect(socket)).await?.map_err(unreachable)?;
                exchange(stream, request).await
            }
            EngineAddress::Http(address) => {
                let stream =
                    self.patiently(TcpStream::connect(address.target())).await?.map_err(unreachable)?;
                // A question is one small write; waiting to fill a packet would only delay it.
                stream.set_nodelay(true).map_err(unreachable)?;
                exchange(stream, request).await
            }
        }
    }

    /// Puts onto a request what this engine wants: the base of its address, its name and its key.
    fn direct<B>(&self, request: &mut Request<B>) -> Result<(), ClientError> {
        let unusable = |_| ClientError::Garbled(format!("{} cannot be asked for this path", self.address));
        let host = match &self.address {
            EngineAddress::Unix(_) => HeaderValue::from_static("engine"),
            EngineAddress::Http(address) => {
                if !address.base().is_empty() {
                    let path = format!("{}{}", address.base(), request.uri());
                    *request.uri_mut() = path.parse().map_err(|_| unusable(()))?;
                }
                HeaderValue::from_str(&address.authority()).map_err(|_| unusable(()))?
            }
        };
        request.headers_mut().insert(HOST, host);
        if let Some(key) = &self.key {
            request.headers_mut().insert(header::AUTHORIZATION, key.header());
        }
        Ok(())
    }

    async fn patiently<T>(&self, connecting: impl Future<Output = T>) -> Result<T, ClientError> {
        timeout(self.patience, connecting).await.map_err(|_| ClientError::Silent(self.patience))
    }
}

/// Sends a request over a fresh connection, which the answer owns from then on.
async fn exchange<S, B>(stream: S, request: Request<B>) -> Result<Response<EngineBody>, ClientError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::before_answer)?;
    let connection = CloseOnDrop(tokio::spawn(connection).abort_handle());
    let response = sender.send_request(request).await.map_err(ClientError::before_answer)?;
    Ok(response.map(|body| EngineBody { body, _connection: connection }))
}

/// The body of an engine's answer; dropping it closes the connection.
#[derive(Debug)]
pub struct EngineBody {
    body: Incoming,
    _connection: CloseOnDrop,
}

impl Body for EngineBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Ends the task that owns the socket, and so closes it.
#[derive(Debug)]
struct CloseOnDrop(AbortHandle);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn request(method: Method, path: &'static str, body: Bytes) -> Request<Full<Bytes>> {
    let is_post = method == Method::POST;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_static(path);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    if is_post {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    request
}

/// RFC 9110, section 7.6.1: what stands in `Connection` and these belong to one hop.
fn strip_connection_headers(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [header::CONNECTION, header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE]
    {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"] {
        headers.remove(name);
    }
}

/// The response when it is a success, the engine's own words otherwise.
async fn accepted(response: Response<EngineBody>) -> Result<Response<EngineBody>, ClientError> {
    if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
}

async fn refusal(response: Response<EngineBody>) -> ClientError {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    match read_body(response, SMALL_BODY).await {
        Ok(body) => ClientError::of_refusal(status, retry_after, &body),
        Err(error) => error,
    }
}

async fn read_json<T: DeserializeOwned>(
    response: Response<EngineBody>,
    limit: usize,
) -> Result<T, ClientError> {
    let body = read_body(response, limit).await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::Garbled(error.to_string()))
}

async fn read_body(response: Response<EngineBody>, limit: usize) -> Result<Bytes, ClientError> {
    let whole = Limited::new(response.into_body(), limit).collect().await;
    whole.map(http_body_util::Collected::to_bytes).map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) => ClientError::mid_answer(*error),
        Err(_) => ClientError::Garbled(format!("an answer of more than {} MiB", limit / 1024 / 1024)),
    })
}
