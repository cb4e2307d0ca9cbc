//! Stage 5: the response.
//!
//! It takes status 200 with parseable JSON as success and everything else as failure (the vendor's webhook overview,
//! trtc.io document 34354): hence never 202 or 204.

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
    /// For the response's extensions.
    pub(crate) refusal: Option<Refusal>,
}

pub(crate) const JSON: &str = "application/json";

impl Answer {
    pub(super) fn accepted() -> Self {
        let body = Bytes::from_static(ACKNOWLEDGEMENT);
        Self { status: StatusCode::OK, body, allow: None, closes: false, refusal: None }
    }

    pub(super) fn refused(refusal: &Refusal) -> Self {
        let allow = (*refusal == Refusal::Method).then_some("POST");
        Self { status: refusal.status(), body: refusal.body(), allow, closes: false, refusal: Some(*refusal) }
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
        if let Some(refusal) = self.refusal {
            response.extensions_mut().insert(refusal);
        }
        response
    }
}

/// The one answer that the sender takes as success, as the vendor prints it.
const ACKNOWLEDGEMENT: &[u8] = br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;
