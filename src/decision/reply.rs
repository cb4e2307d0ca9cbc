//! The response to a request for a decision, always with status 200.

use bytes::Bytes;
use serde::{Serializer as _, ser::SerializeMap as _};
use serde_json::{Map, Value};

/// A failure that the responder declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    code: u32,
    text: String,
}

impl Failure {
    pub(super) fn new(code: u32, text: impl Into<String>) -> Self {
        assert!(code != 0, "ErrorCode 0 means success: a failure needs another one");
        Self { code, text: text.into() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: i64,
    /// `None` for the bare acknowledgement.
    pub(crate) body: Option<Bytes>,
}

impl Reply {
    pub(crate) fn acknowledgement() -> Self {
        Self { code: 0, body: None }
    }

    /// A success whose whole body is `body`.
    pub(super) fn fixed(body: &'static [u8]) -> Self {
        Self { code: 0, body: Some(Bytes::from_static(body)) }
    }

    pub(super) fn ok(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self::of(&"OK".into(), &"".into(), &0.into(), fields)
    }

    pub(super) fn failed(failure: &Failure) -> Self {
        let fields: [(&str, Value); 0] = [];
        Self::of(&"FAIL".into(), &failure.text.as_str().into(), &failure.code.into(), fields)
    }

    /// The acknowledgement with `fields` merged into it.
    pub(crate) fn merged(mut fields: Map<String, Value>) -> Self {
        if fields.is_empty() {
            return Self::acknowledgement();
        }
        let [status, info, code] = ["ActionStatus", "ErrorInfo", "ErrorCode"].map(|name| fields.remove(name));
        let (status, info) = (status.unwrap_or_else(|| "OK".into()), info.unwrap_or_else(|| "".into()));
        Self::of(&status, &info, &code.unwrap_or_else(|| 0.into()), fields)
    }

    /// The three fields that every answer begins with, as the vendor prints them, and then `fields`.
    fn of<N: AsRef<str>>(
        status: &Value,
        info: &Value,
        code: &Value,
        fields: impl IntoIterator<Item = (N, Value)>,
    ) -> Self {
        let mut body = Vec::new();
        let write = || {
            let mut serializer = serde_json::Serializer::new(&mut body);
            let mut object = serializer.serialize_map(None)?;
            object.serialize_entry("ActionStatus", status)?;
            object.serialize_entry("ErrorInfo", info)?;
            object.serialize_entry("ErrorCode", code)?;
            for (name, value) in fields {
                object.serialize_entry(name.as_ref(), &value)?;
            }
            object.end()
        };
        match write() {
            Ok(()) => Self { code: code.as_i64().unwrap_or_default(), body: Some(body.into()) },
            // Neither a `Vec` nor a `Value` fails.
            Err(_) => Self::acknowledgement(),
        }
    }
}
