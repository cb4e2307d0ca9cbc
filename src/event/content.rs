//! Elements that hold what they say: text, place, face, custom data and stream.
//!
//! Field names: the vendor's page on message formats (trtc.io document 74355).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    DeskMessage,
    lenient::{flag, list, number, text},
};

/// Text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct TextElem {
    /// What was written.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A place.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct LocationElem {
    /// Its description.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// In degrees.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// In degrees.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
}

/// A sticker or emoticon of the client's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct FaceElem {
    /// Its number.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub index: Option<i64>,
    /// What else the client says of it.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// Whatever an application puts into it; Desk its own messages, see [`desk_message`](Self::desk_message).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CustomElem {
    /// Any text; often JSON.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What a notification says. Only in older editions of the vendor's page.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// Only in older editions.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub ext: Option<String>,
    /// A notification's sound. Only in older editions.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub sound: Option<String>,
}

impl CustomElem {
    /// Parses `data` as one of Desk's own messages. `None` if it is something else.
    #[must_use]
    pub fn desk_message(&self) -> Option<DeskMessage> {
        DeskMessage::parse(self.data.as_deref()?)
    }

    pub(super) fn text(&self) -> Option<String> {
        match self.desk_message() {
            Some(message) => message.text(),
            None => self.desc.clone(),
        }
    }
}

/// A text that grows while it is sent. The vendor documents the form that is sent (product 269, document 128596), not the
/// one in callbacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct StreamElem {
    /// What clients show that know no streams.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub compatible_text: Option<String>,
    /// The pieces.
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<StreamChunk>,
    /// What the pieces of one stream have in common.
    #[serde(rename = "StreamMsgID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub stream_msg_id: Option<String>,
}

impl StreamElem {
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        let markdown: String = self.chunks.iter().filter_map(|chunk| chunk.markdown.as_deref()).collect();
        if markdown.is_empty() {
            self.compatible_text.as_deref().map(Cow::Borrowed)
        } else {
            Some(markdown.into())
        }
    }
}

/// One piece of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct StreamChunk {
    /// `data` in the sample.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Its place in the stream.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub index: Option<i64>,
    /// Its text.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub markdown: Option<String>,
    /// Whether it is the last.
    #[serde(deserialize_with = "flag", skip_serializing_if = "Option::is_none")]
    pub is_last: Option<bool>,
}
