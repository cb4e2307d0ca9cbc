//! The door for axum: [`Webhook`] is a [`Handler`], so `any(webhook)` mounts it in a router with any state.

use std::{future::Future, pin::Pin};

use axum::{body::Body, extract::Request, handler::Handler, response::Response};

use crate::{Deliver, Webhook};

/// Distinguishes this implementation of [`Handler`] from axum's own for functions.
#[derive(Debug)]
#[non_exhaustive]
pub struct Via;

impl<H: Deliver, S> Handler<Via, S> for Webhook<H> {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, _state: S) -> Self::Future {
        Box::pin(self.handle_as(request, |answer| answer.into_response().map(Body::new)))
    }
}
