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

/// An answer, whichever types its server has.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// `Allow`, where the method was wrong.
    pub(crate) allow: Option<&'static str>,
    /// Whether it ends its connection, because the rest of the body would be read as the next request.
    pub(crate) closes: bool,
}

pub(crate) const JSON: &str = "application/json";

impl Answer {
    pub(super) fn accepted() -> Self {
        Self { status: StatusCode::OK, body: Bytes::from_static(ACKNOWLEDGEMENT), allow: None, closes: false }
    }

    pub(super) fn refused(refusal: &Refusal) -> Self {
        let mut body = String::with_capacity(ROOM);
        let code = refusal.code();
        // No refusal's sentence holds a character that JSON would escape.
        let _ = write!(body, r#"{{"ActionStatus":"FAIL","ErrorInfo":"{refusal}","ErrorCode":{code}}}"#);
        let allow = (*refusal == Refusal::Method).then_some("POST");
        Self { status: refusal.status(), body: body.into(), allow, closes: false }
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        if let Some(method) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(method));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The one answer that the sender takes as success, as the vendor prints it.
const ACKNOWLEDGEMENT: &[u8] = br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

/// More than any refusal's body takes: a stranger shall not make us grow it.
const ROOM: usize = 256;
