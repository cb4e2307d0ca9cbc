//! [`Page`] is a [`hyper::service::Service`](Service).

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use http::{Request, Response};
use hyper::service::Service;

use super::{Page, PageBody};

impl<B> Service<Request<B>> for Page {
    type Response = Response<PageBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<PageBody>, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        ready(Ok(self.handle(&request)))
    }
}
