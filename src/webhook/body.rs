//! Stage 3: the body, read only once the query has been verified, within a size and a time.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf as _;
use http_body::Body;

use super::{refusal::Refusal, settings::Settings, timer};

/// Reads a request's body, and remembers whether its end was reached.
pub(super) struct BodyReader<'b, B> {
    body: Pin<&'b mut B>,
    text: Vec<u8>,
    keeps: bool,
    length: usize,
    finished: bool,
}

impl<'b, B: Body> BodyReader<'b, B> {
    pub(super) fn new(body: Pin<&'b mut B>) -> Self {
        Self { finished: body.is_end_stream(), body, text: Vec::new(), keeps: true, length: 0 }
    }

    /// Whether bytes may be left that a server would have to skip before the connection's next request.
    pub(super) fn is_unread(&self) -> bool {
        !self.finished
    }

    /// The whole body as text.
    pub(super) async fn read(&mut self, is_encoded: bool, settings: &Settings) -> Result<String, Refusal> {
        if is_encoded {
            return Err(Refusal::ContentEncoding);
        }
        // An announcement costs its sender nothing, so no more than a usual event's room is set aside for it.
        self.text.reserve_exact(self.body.size_hint().lower().min(USUAL_SIZE) as usize);
        self.read_to_end(settings).await?;
        let mut text = std::mem::take(&mut self.text);
        // The event keeps it for as long as its handler runs.
        if text.capacity() - text.len() > text.len() / 4 {
            text.shrink_to_fit();
        }
        String::from_utf8(text).map_err(|error| Refusal::NotUtf8 { gzip: error.as_bytes().starts_with(GZIP) })
    }

    /// Reads the body without keeping any of it, so that the connection can go on.
    pub(super) async fn skip(&mut self, settings: &Settings) {
        self.keeps = false;
        // What cannot be skipped ends the connection.
        let _ = self.read_to_end(settings).await;
    }

    async fn read_to_end(&mut self, settings: &Settings) -> Result<(), Refusal> {
        if self.body.size_hint().lower() > settings.body_limit as u64 {
            return Err(Refusal::BodyTooLarge);
        }
        let read = poll_fn(|cx| self.poll_to_end(cx, settings.body_limit));
        let read = timer::within(settings.read_timeout.min(settings.deadline), read).await?;
        read.ok_or(Refusal::BodyTooSlow)?
    }

    /// Copies every chunk at once: kept, it would pin the server's whole read buffer for as long as the event lives.
    fn poll_to_end(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<(), Refusal>> {
        let mut empty_frames = 0;
        while !self.finished {
            match self.body.as_mut().poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => self.finished = true,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Refusal::BodyBrokeOff)),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(mut data) if data.has_remaining() => {
                        self.length += data.remaining();
                        if self.length > limit {
                            return Poll::Ready(Err(Refusal::BodyTooLarge));
                        }
                        while data.has_remaining() {
                            let chunk = data.chunk();
                            let length = chunk.len();
                            if self.keeps {
                                self.text.extend_from_slice(chunk);
                            }
                            data.advance(length);
                        }
                    }
                    _ => empty_frames += 1,
                },
            }
            // They count against no limit: a body that always has one more must not keep the timer from its turn.
            if empty_frames == EMPTY_FRAMES_A_POLL {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// How gzip data begins (RFC 1952, section 2.3.1).
const GZIP: &[u8] = &[0x1F, 0x8B];

const EMPTY_FRAMES_A_POLL: usize = 64;

/// Eight times the documented sample.
const USUAL_SIZE: u64 = 4 * 1024;
