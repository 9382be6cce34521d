//! A streamed answer as a stream of chunks.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use http::StatusCode;
use hyper::body::Body as _;

use super::{ClientError, EngineBody};
use crate::sse::{self, Parser};
use crate::{ApiError, ChatChunk, ErrorBody};

/// The chunks of one answer. Ends after the engine said `[DONE]`; a stream that ends without it gives
/// [`ClientError::GoneMidAnswer`]. After an error there is nothing more. Dropping it cancels the generation.
#[derive(Debug)]
pub struct ChatStream {
    /// `None` once the answer is over, whichever way.
    body: Option<EngineBody>,
    parser: Parser,
}

impl ChatStream {
    pub(super) fn new(body: EngineBody) -> Self {
        Self { body: Some(body), parser: Parser::new() }
    }

    /// Nothing more is read, nor given out of what was read.
    fn close(&mut self) {
        self.body = None;
        self.parser = Parser::new();
    }

    fn end(&mut self, error: ClientError) -> Poll<Option<Result<ChatChunk, ClientError>>> {
        self.close();
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for ChatStream {
    type Item = Result<ChatChunk, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.parser.next_event() {
                if event.data == sse::DONE {
                    self.close();
                    return Poll::Ready(None);
                }
                return match read_event(&event.data) {
                    Ok(chunk) => Poll::Ready(Some(Ok(chunk))),
                    Err(error) => self.end(error),
                };
            }
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            match ready!(Pin::new(body).poll_frame(context)) {
                None => return self.end(ClientError::GoneMidAnswer(None)),
                Some(Err(error)) => return self.end(ClientError::mid_answer(error)),
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref()
                        && let Err(error) = self.parser.push(bytes)
                    {
                        return self.end(ClientError::Garbled(error.to_string()));
                    }
                }
            }
        }
    }
}

fn read_event(data: &str) -> Result<ChatChunk, ClientError> {
    serde_json::from_str(data).map_err(|error| match serde_json::from_str::<ErrorBody>(data) {
        Ok(body) => ClientError::refused(ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            retry_after: None,
            detail: body.error,
        }),
        Err(_) => ClientError::Garbled(error.to_string()),
    })
}
