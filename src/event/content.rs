//! Elements that hold what they say: text, place, face, custom data and stream.
//!
//! Field names: the vendor's page on message formats (trtc.io document 74355).

use std::borrow::Cow;

use super::{DeskMessage, wire::object};

/// Text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextElem {
    /// What was written.
    pub text: Option<String>,
}

object!(TextElem {
    "Text" => text,
});

/// A place.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LocationElem {
    /// Its description.
    pub desc: Option<String>,
    /// In degrees.
    pub latitude: Option<f64>,
    /// In degrees.
    pub longitude: Option<f64>,
}

object!(LocationElem {
    "Desc" => desc,
    "Latitude" => latitude,
    "Longitude" => longitude,
});

/// A sticker or emoticon of the client's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaceElem {
    /// Its number.
    pub index: Option<i64>,
    /// What else the client says of it.
    pub data: Option<String>,
}

object!(FaceElem {
    "Index" => index,
    "Data" => data,
});

/// Whatever an application puts into it; Desk its own messages, see [`desk_message`](Self::desk_message).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomElem {
    /// Any text; often JSON.
    pub data: Option<String>,
    /// What a notification says. Only in older editions of the vendor's page.
    pub desc: Option<String>,
    /// Only in older editions.
    pub ext: Option<String>,
    /// A notification's sound. Only in older editions.
    pub sound: Option<String>,
}

object!(CustomElem {
    "Data" => data,
    "Desc" => desc,
    "Ext" => ext,
    "Sound" => sound,
});

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamElem {
    /// What clients show that know no streams.
    pub compatible_text: Option<String>,
    /// The pieces.
    pub chunks: Vec<StreamChunk>,
    /// What the pieces of one stream have in common.
    pub stream_msg_id: Option<String>,
}

object!(StreamElem {
    "CompatibleText" => compatible_text,
    "Chunks" => chunks,
    "StreamMsgID" => stream_msg_id: ElementId,
});

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamChunk {
    /// `data` in the sample.
    pub event_type: Option<String>,
    /// Its place in the stream.
    pub index: Option<i64>,
    /// Its text.
    pub markdown: Option<String>,
    /// Whether it is the last.
    pub is_last: Option<bool>,
}

object!(StreamChunk {
    "EventType" => event_type,
    "Index" => index,
    "Markdown" => markdown,
    "IsLast" => is_last,
});
