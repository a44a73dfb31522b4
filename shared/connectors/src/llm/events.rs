//! The events of a streamed answer (server-sent events), with a bound on their size and a time-out between bytes.

use super::failure::{Failure, FailureKind};
use crate::causes::in_words;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use reqwest::Response;
use sse_stream::{Error, SseByteStream};
use std::time::Duration;
use tokio::time::timeout;

/// The maximum size of an event, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// The data of each event. An incomplete event at the end is discarded.
pub(super) fn data(answer: Response, idle: Duration) -> BoxStream<'static, Result<String, Failure>> {
    let bytes = stream::try_unfold((answer, EventSize::default()), move |(mut answer, mut size)| async move {
        match timeout(idle, answer.chunk()).await {
            Err(_) => Err(Failure::silent(idle)),
            Ok(Err(error)) => Err(Failure::new(FailureKind::Cut, in_words(&error))),
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(chunk))) => {
                size.add(&chunk)?;
                Ok(Some((chunk, (answer, size))))
            }
        }
    });
    let events = SseByteStream::new(bytes).filter_map(|event| async move {
        match event {
            Ok(event) => event.data.filter(|data| !data.is_empty()).map(Ok),
            Err(error) => Some(Err(failure(error))),
        }
    });
    events.boxed()
}

fn failure(error: Error) -> Failure {
    let message = error.to_string();
    let garbled = || Failure::new(FailureKind::Garbled, message);
    match error {
        Error::Body(cause) => cause.downcast::<Failure>().map_or_else(|_| garbled(), |failure| *failure),
        _ => garbled(),
    }
}

/// Counts the bytes since the last blank line, which ends an event. Lines end with CR, LF or CRLF.
#[derive(Debug, Default)]
struct EventSize {
    bytes: usize,
    is_in_line: bool,
    is_after_cr: bool,
}

impl EventSize {
    fn add(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        for &byte in chunk {
            let completes_crlf = byte == b'\n' && self.is_after_cr;
            self.is_after_cr = byte == b'\r';
            match byte {
                b'\n' if completes_crlf => {}
                b'\r' | b'\n' if self.is_in_line => self.is_in_line = false,
                b'\r' | b'\n' => self.bytes = 0,
                _ => self.is_in_line = true,
            }
            self.bytes += 1;
            if self.bytes > MOST_BYTES {
                let message = format!("an event is larger than {MOST_BYTES} bytes");
                return Err(Failure::new(FailureKind::Garbled, message));
            }
        }
        Ok(())
    }
}
