//! Stage 3: the body, read only once the query has been verified, within a size and a time.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf as _;
use http_body::Body;

use super::{Settings, timer};
use crate::error::Refusal;

/// A request's body on its way in. It remembers whether its end was reached.
pub(super) struct Inbound<'b, B> {
    body: Pin<&'b mut B>,
    text: Vec<u8>,
    finished: bool,
}

impl<'b, B: Body> Inbound<'b, B> {
    pub(super) fn new(body: Pin<&'b mut B>) -> Self {
        Self { finished: body.is_end_stream(), body, text: Vec::new() }
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
        let announced = self.body.size_hint().lower();
        if announced > settings.body_limit as u64 {
            return Err(Refusal::BodyTooLarge);
        }
        // An announcement costs its sender nothing, so no more than a usual event's room is set aside for it.
        self.text.reserve_exact(announced.min(USUAL_SIZE) as usize);

        let read = poll_fn(|cx| self.poll_to_end(cx, settings.body_limit));
        timer::within(settings.read_timeout.min(settings.deadline), settings.runtime.as_ref(), read)
            .await?
            .ok_or(Refusal::BodyTooSlow)??;
        String::from_utf8(std::mem::take(&mut self.text)).map_err(|_| Refusal::NotUtf8)
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
                        if data.remaining() > limit - self.text.len() {
                            return Poll::Ready(Err(Refusal::BodyTooLarge));
                        }
                        while data.has_remaining() {
                            let chunk = data.chunk();
                            let length = chunk.len();
                            self.text.extend_from_slice(chunk);
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

const EMPTY_FRAMES_A_POLL: usize = 64;

/// Eight times the documented sample.
const USUAL_SIZE: u64 = 4 * 1024;
