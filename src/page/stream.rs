//! The body of a response: the file, or events for as long as the browser stays.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

use super::feed::Feed;

/// The body of a [`Page`](super::Page)'s response. It never fails; that of events does not end by itself.
pub struct PageBody(Kind);

enum Kind {
    Whole(Bytes),
    Events(Events),
}

/// It reads from the feed only when it is asked for more, so a slow browser has nothing piled up for it.
struct Events {
    feed: Arc<Feed>,
    from: u64,
    news: Pin<Box<dyn Future<Output = watch::Receiver<u64>> + Send + Sync>>,
}

impl PageBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    /// Behind the record with this `id`, or from the first one that is there. `None`: as many browsers watch as may.
    pub(super) fn events(feed: &Arc<Feed>, last: Option<&str>) -> Option<Self> {
        if !feed.enter() {
            return None;
        }
        let from = feed.begin(last);
        let news = Box::pin(changed(feed.subscribe()));
        Some(Self(Kind::Events(Events { feed: Arc::clone(feed), from, news })))
    }
}

async fn changed(mut next: watch::Receiver<u64>) -> watch::Receiver<u64> {
    // It fails only if the feed is dropped, and then the stream is as well.
    let _ = next.changed().await;
    next
}

impl Events {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            if let Some((chunk, next)) = self.feed.read(self.from) {
                self.from = next;
                return Poll::Ready(chunk);
            }
            let next = ready!(self.news.as_mut().poll(cx));
            self.news = Box::pin(changed(next));
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.feed.leave();
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Events(events) => events.poll(cx).map(|chunk| Some(Ok(Frame::data(chunk)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Events(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for PageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageBody").finish_non_exhaustive()
    }
}
