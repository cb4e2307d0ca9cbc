//! Stage 5: what the sender is told.
//!
//! It takes status 200 with parseable JSON as success and everything else as failure (the vendor's webhook overview,
//! trtc.io document 34354): hence never 202 or 204.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE},
};
use http_body_util::Full;

use crate::error::Refusal;

pub(super) fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::OK, Bytes::from_static(ACKNOWLEDGEMENT))
}

pub(super) fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    // No refusal's sentence holds a character that JSON would escape.
    let mut body = String::with_capacity(ROOM);
    let code = refusal.code();
    let _ = write!(body, r#"{{"ActionStatus":"FAIL","ErrorInfo":"{refusal}","ErrorCode":{code}}}"#);
    let mut response = json(refusal.status(), body.into());
    if *refusal == Refusal::Method {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

/// Ends an HTTP/1 connection with this response, because the rest of the body would be read as the next request.
pub(super) fn close(response: &mut Response<Full<Bytes>>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The one answer that the sender takes as success, as the vendor prints it.
const ACKNOWLEDGEMENT: &[u8] = br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

/// More than any refusal's body takes: a stranger shall not make us grow it.
const ROOM: usize = 256;
