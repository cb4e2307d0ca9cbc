//! The door for actix-web: [`Webhook`] is a [`Handler`], so `web::route().to(webhook)` mounts it.
//!
//! actix-web uses the types of http 0.2, so this door passes the parts of the request that the core needs instead of a request of
//! http 1. The core reads the [`Payload`] only after verification; an extractor would read it before.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Handler, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev,
    error::PayloadError,
    http::{ConnectionType, Method, StatusCode, Version, header},
    web::Payload,
};
use bytes::Bytes;
use futures_core::Stream as _;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use crate::{
    Deliver, Webhook,
    webhook::{Answer, Head, JSON, is_identity},
};

impl<H: Deliver> Handler<(HttpRequest, Payload)> for Webhook<H> {
    type Output = HttpResponse;
    type Future = Pin<Box<dyn Future<Output = HttpResponse>>>;

    fn call(&self, (request, payload): (HttpRequest, Payload)) -> Self::Future {
        let webhook = self.clone();
        let mut payload = payload.into_inner();
        Box::pin(async move {
            let body = Inbound::new(&request, &mut payload);
            let answer = webhook.answer(head(&request), body).await;
            respond(answer, payload)
        })
    }
}

fn head(request: &HttpRequest) -> Head<'_> {
    let mut codings = request.headers().get_all(header::CONTENT_ENCODING);
    Head {
        is_post: request.method() == Method::POST,
        query: request.query_string(),
        is_encoded: codings.any(|coding| !is_identity(coding.as_bytes())),
        is_alone: request.version() < Version::HTTP_2,
    }
}

fn respond(answer: Answer, payload: dev::Payload) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = if answer.closes {
        BoxBody::new(Outbound { body: Full::new(answer.body), _payload: payload })
    } else {
        BoxBody::new(answer.body)
    };
    let mut response = HttpResponse::with_body(status, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(JSON));
    if let Some(method) = answer.allow {
        headers.insert(header::ALLOW, header::HeaderValue::from_static(method));
    }
    if let Some(refusal) = answer.refusal {
        response.extensions_mut().insert(refusal);
    }
    if answer.closes {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}

/// A request's payload as an [`http_body::Body`].
struct Inbound<'p> {
    payload: &'p mut dev::Payload,
    /// The `Content-Length`, because a payload does not have it.
    announced: Option<u64>,
}

impl<'p> Inbound<'p> {
    fn new(request: &HttpRequest, payload: &'p mut dev::Payload) -> Self {
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        Self { payload, announced }
    }
}

impl Body for Inbound<'_> {
    type Data = Bytes;
    type Error = PayloadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PayloadError>>> {
        Pin::new(&mut *self.payload).poll_next(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.payload, dev::Payload::None)
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The response to a request whose body was not read completely. It keeps the payload until it is sent: if a chunked payload is
/// dropped earlier, actix-web reads all of it, however long it is.
struct Outbound {
    body: Full<Bytes>,
    _payload: dev::Payload,
}

impl MessageBody for Outbound {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.body.size_hint().exact().unwrap_or_default())
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx).map(|frame| Some(Ok(frame?.ok()?.into_data().ok()?)))
    }
}
