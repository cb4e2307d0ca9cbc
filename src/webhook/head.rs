//! What the stages look at of a request besides its body, whichever types its server has.

use http::{HeaderMap, Method, Request, Version, header::CONTENT_ENCODING, uri::PathAndQuery};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'r> {
    pub(crate) is_post: bool,
    pub(crate) query: &'r str,
    /// Has a `Content-Encoding` other than `identity`.
    pub(crate) is_encoded: bool,
    /// Whether an answer can end the connection without harm to other requests: before HTTP/2.
    pub(crate) is_alone: bool,
}

/// As much of an `http::Request` as a [`Head`] needs. The rest, headers above all, is not kept while a handler runs.
pub(super) struct OwnHead {
    head: Head<'static>,
    target: Option<PathAndQuery>,
}

impl OwnHead {
    pub(super) fn split<B>(request: Request<B>) -> (Self, B) {
        let (parts, body) = request.into_parts();
        let head = Head {
            is_post: parts.method == Method::POST,
            query: "",
            is_encoded: is_encoded(&parts.headers),
            is_alone: parts.version < Version::HTTP_2,
        };
        (Self { head, target: parts.uri.into_parts().path_and_query }, body)
    }

    pub(super) fn get(&self) -> Head<'_> {
        let query = self.target.as_ref().and_then(PathAndQuery::query).unwrap_or_default();
        Head { query, ..self.head }
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|coding| !is_identity(coding.as_bytes()))
}

pub(crate) fn is_identity(coding: &[u8]) -> bool {
    coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
}
