//! [`Page`] is a [`Handler`] of actix-web: `web::route().to(page)` mounts it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Handler, HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::{StatusCode, header},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body::Body as _;

use super::{Page, PageBody};

impl Handler<(HttpRequest,)> for Page {
    type Output = HttpResponse;
    type Future = Ready<HttpResponse>;

    fn call(&self, (request,): (HttpRequest,)) -> Self::Future {
        let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::POST);
        let (parts, body) = self.answer(&method, &headers(&request)).into_parts();
        let status = StatusCode::from_u16(parts.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::with_body(status, BoxBody::new(body));
        for (name, value) in &parts.headers {
            let name = header::HeaderName::from_bytes(name.as_str().as_bytes());
            if let (Ok(name), Ok(value)) = (name, header::HeaderValue::from_bytes(value.as_bytes())) {
                response.headers_mut().insert(name, value);
            }
        }
        ready(response)
    }
}

/// actix-web has the types of http 0.2.
fn headers(request: &HttpRequest) -> HeaderMap {
    let convert = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    request.headers().iter().filter_map(convert).collect()
}

impl MessageBody for PageBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.size_hint().exact().map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.poll_frame(cx).map(|frame| Some(Ok(frame?.ok()?.into_data().ok()?)))
    }
}
