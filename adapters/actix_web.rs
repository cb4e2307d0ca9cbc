//! The door for actix-web: [`Webhook`] is a [`Handler`], so `web::route().to(webhook)` mounts it.
//!
//! actix-web has the types of http 0.2, so everything is translated, and nothing is unwrapped on the way. Its [`Payload`]
//! is read as the core asks for it; an extractor would read it before anything is verified.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Handler, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev,
    error::PayloadError,
    http::{ConnectionType, StatusCode, header},
    web::Payload,
};
use bytes::Bytes;
use futures_core::Stream as _;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use crate::{EventHandler, Webhook};

impl<H: EventHandler> Handler<(HttpRequest, Payload)> for Webhook<H> {
    type Output = HttpResponse;
    type Future = Pin<Box<dyn Future<Output = HttpResponse>>>;

    fn call(&self, (request, payload): (HttpRequest, Payload)) -> Self::Future {
        let webhook = self.clone();
        Box::pin(async move {
            let body = Inbound::new(&request, payload);
            let payload = Rc::clone(&body.payload);
            let response = webhook.handle(translate(&request, body)).await;
            answer(response, payload)
        })
    }
}

/// What cannot be translated is left out: without a method or a query the core refuses.
fn translate(request: &HttpRequest, body: Inbound) -> Request<Inbound> {
    let mut translated = Request::new(body);
    *translated.method_mut() =
        Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::TRACE);
    *translated.uri_mut() = Uri::try_from(request.uri().to_string()).unwrap_or_default();
    *translated.version_mut() = match request.version() {
        actix_web::http::Version::HTTP_09 => Version::HTTP_09,
        actix_web::http::Version::HTTP_10 => Version::HTTP_10,
        actix_web::http::Version::HTTP_2 => Version::HTTP_2,
        actix_web::http::Version::HTTP_3 => Version::HTTP_3,
        _ => Version::HTTP_11,
    };
    for (name, value) in request.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            translated.headers_mut().append(name, value);
        }
    }
    translated
}

fn answer(response: Response<Full<Bytes>>, payload: Rc<RefCell<dev::Payload>>) -> HttpResponse {
    let (head, body) = response.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::with_body(status, BoxBody::new(Outbound { body, _payload: payload }));
    for (name, value) in &head.headers {
        // actix-web writes this header itself.
        if name == http::header::CONNECTION {
            answer.head_mut().set_connection_type(ConnectionType::Close);
            continue;
        }
        let name = header::HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, header::HeaderValue::from_bytes(value.as_bytes())) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

/// A request's payload, as the core reads it.
struct Inbound {
    payload: Rc<RefCell<dev::Payload>>,
    /// actix-web does not tell how much of a payload is to come.
    announced: Option<u64>,
    is_empty: bool,
}

impl Inbound {
    fn new(request: &HttpRequest, payload: Payload) -> Self {
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        let payload = payload.into_inner();
        let is_empty = matches!(payload, dev::Payload::None);
        Self { payload: Rc::new(RefCell::new(payload)), announced, is_empty }
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = PayloadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PayloadError>>> {
        let mut payload = self.payload.borrow_mut();
        Pin::new(&mut *payload).poll_next(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The answer's few bytes. It keeps the request's payload alive until they are sent: a chunked payload that is dropped
/// before makes actix-web read it to its end, however long it is.
struct Outbound {
    body: Full<Bytes>,
    _payload: Rc<RefCell<dev::Payload>>,
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
