//! The upper bound: hyper that reads the body and always returns the same response.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    service::service_fn,
};

use super::{handler::handle, serving::serve_hyper};
use crate::{Result, documented::ACKNOWLEDGEMENT};

pub(super) async fn serve(delay: Duration) -> Result<()> {
    serve_hyper(service_fn(move |request: Request<Incoming>| async move {
        let _ = request.into_body().collect().await;
        handle(delay).await;
        let mut response = Response::new(Full::new(Bytes::from_static(ACKNOWLEDGEMENT.as_bytes())));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok::<_, Infallible>(response)
    }))
    .await
}
