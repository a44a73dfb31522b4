//! One call of a provider: the request, and the parts of the answer to it.

use super::failure::{Failure, FailureKind};
use super::request::{KeyHeader, Reader, Request};
use super::{Endpoint, Part, Timeouts, events};
use crate::causes::in_words;
use daybook_domain::Secret;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::Value;
use std::collections::VecDeque;
use tokio::time::{Instant, timeout_at};

/// The maximum size of an error answer, in bytes; the rest is not read.
const MOST_ERROR_BYTES: usize = 64 << 10;

/// Sends a request, and streams the parts of the answer.
pub(super) fn parts(
    http: Client,
    timeouts: Timeouts,
    endpoint: Endpoint,
    request: Request,
) -> BoxStream<'static, Result<Part, Failure>> {
    let key = endpoint.key.clone();
    let opened = async move {
        let exchange = Exchange::open(&http, timeouts, &endpoint, request).await?;
        let parts = stream::try_unfold(exchange, |mut exchange| async move {
            let part = exchange.next().await?;
            Ok::<_, Failure>(part.map(|part| (part, exchange)))
        });
        Ok::<_, Failure>(parts)
    };
    stream::once(opened).try_flatten().map_err(move |failure| failure.without(key.as_ref())).boxed()
}

/// An answer that is being read.
struct Exchange {
    events: BoxStream<'static, Result<String, Failure>>,
    reader: Box<dyn Reader>,
    /// Parts that were read and not yet returned.
    ready: VecDeque<Part>,
    /// The time by which the first event must come; `None` after it.
    deadline: Option<Instant>,
    timeouts: Timeouts,
    is_over: bool,
}

impl Exchange {
    /// Sends the request and reads the head of the answer.
    async fn open(
        http: &Client,
        timeouts: Timeouts,
        endpoint: &Endpoint,
        request: Request,
    ) -> Result<Exchange, Failure> {
        let deadline = Instant::now() + timeouts.first;
        let sent = call(http, endpoint, &request)?.send();
        let answer = match timeout_at(deadline, sent).await {
            Err(_) => return Err(Failure::silent(timeouts.first)),
            Ok(Err(error)) if error.is_builder() => {
                return Err(Failure::new(FailureKind::Refused, in_words(&error)));
            }
            Ok(Err(error)) => return Err(Failure::new(FailureKind::Busy, in_words(&error))),
            Ok(Ok(answer)) => answer,
        };
        if !answer.status().is_success() {
            return Err(refusal(answer, deadline).await);
        }
        if !is_event_stream(&answer) {
            let status = Some(answer.status().as_u16());
            let failure = Failure::new(FailureKind::Garbled, "the provider's answer is no event stream");
            return Err(Failure { status, ..failure });
        }
        Ok(Exchange {
            events: events::data(answer, timeouts.idle),
            reader: request.reader,
            ready: VecDeque::new(),
            deadline: Some(deadline),
            timeouts,
            is_over: false,
        })
    }

    /// The next part; `None` after the end.
    async fn next(&mut self) -> Result<Option<Part>, Failure> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                self.is_over = matches!(part, Part::End(_));
                return Ok(Some(part));
            }
            if self.is_over {
                return Ok(None);
            }
            let data = self.event().await?.filter(|data| data != "[DONE]");
            let parts = match data {
                Some(data) => self.read(&data)?,
                None => match self.reader.at_end() {
                    Some(finish) => vec![Part::End(finish)],
                    None => return Err(Failure::new(FailureKind::Cut, "the answer ended without its terminator")),
                },
            };
            self.ready.extend(parts);
        }
    }

    /// The data of the next event; `None` where the stream ends.
    async fn event(&mut self) -> Result<Option<String>, Failure> {
        let Some(deadline) = self.deadline else { return self.events.next().await.transpose() };
        let event = match timeout_at(deadline, self.events.next()).await {
            Err(_) => Err(Failure::silent(self.timeouts.first)),
            Ok(event) => event.transpose(),
        };
        self.deadline = None;
        // A connection that breaks before the first event is one that wasn't answered.
        event.map_err(|failure| match failure.kind {
            FailureKind::Cut => Failure { kind: FailureKind::Busy, ..failure },
            _ => failure,
        })
    }

    fn read(&mut self, data: &str) -> Result<Vec<Part>, Failure> {
        let event: Value = serde_json::from_str(data)
            .map_err(|error| Failure::new(FailureKind::Garbled, format!("an event is not valid JSON: {error}")))?;
        self.reader.read(&event)
    }
}

/// The call, with its headers.
fn call(http: &Client, endpoint: &Endpoint, request: &Request) -> Result<RequestBuilder, Failure> {
    let url = format!("{}{}", endpoint.base_url, request.path);
    let mut call = http.post(url).json(&request.body);
    for (name, value) in request.headers {
        call = call.header(*name, *value);
    }
    let Some(key) = &endpoint.key else { return Ok(call) };
    if request.key_header == KeyHeader::ApiKey && !is_bedrock(&endpoint.base_url) {
        return Ok(call.header("x-api-key", secret_value(key, "")?));
    }
    Ok(call.header(AUTHORIZATION, secret_value(key, "Bearer ")?))
}

/// Whether it is an address of Amazon Bedrock, which serves Anthropic's format with keys of its own.
fn is_bedrock(base_url: &str) -> bool {
    Url::parse(base_url).is_ok_and(|url| url.host_str().is_some_and(|host| host.ends_with(".amazonaws.com")))
}

fn secret_value(key: &Secret, prefix: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("{prefix}{}", key.expose()))
        .map_err(|_| Failure::new(FailureKind::Key, "the API key has characters that no header can hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The failure of an answer with an error status.
async fn refusal(mut answer: Response, deadline: Instant) -> Failure {
    let mut body = Vec::new();
    while body.len() < MOST_ERROR_BYTES {
        match timeout_at(deadline, answer.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            // The status says enough.
            _ => break,
        }
    }
    body.truncate(MOST_ERROR_BYTES);
    Failure::answered(answer.status().as_u16(), answer.headers(), &body)
}

fn is_event_stream(answer: &Response) -> bool {
    let essence = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()?.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/event-stream"))
}
