//! The door for bare hyper: [`Webhook`] is a [`hyper::service::Service`].
//!
//! hyper sets no limit on how long a client may take to send its headers unless its server has a timer: see
//! `examples/hyper.rs`.

use std::{convert::Infallible, future::Future, pin::Pin};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::service::Service;

use crate::{Deliver, Webhook};

impl<H, B> Service<Request<B>> for Webhook<H>
where
    H: Deliver,
    B: Body + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        Box::pin(self.handle_as(request, |answer| Ok(answer.into_response())))
    }
}
