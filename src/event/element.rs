//! What a message is made of: `MsgBody`, an array of `{MsgType, MsgContent}`.
//!
//! Field names and types: the vendor's page on message formats (trtc.io document 74355), the older fields of custom
//! elements its earlier edition (product 1047, document 33527). Every field is optional: clients of different ages leave
//! out different ones, and a value of an unexpected type reads as absent.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    CustomElem, FaceElem, FileElem, ImageElem, LocationElem, RelayElem, SoundElem, StreamElem, TextElem,
    VideoElem,
};

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Element {
    /// `TIMTextElem`
    Text(TextElem),
    /// `TIMLocationElem`
    Location(LocationElem),
    /// `TIMFaceElem`
    Face(FaceElem),
    /// `TIMCustomElem`
    Custom(CustomElem),
    /// `TIMSoundElem`
    Sound(SoundElem),
    /// `TIMImageElem`
    Image(ImageElem),
    /// `TIMFileElem`
    File(FileElem),
    /// `TIMVideoFileElem`
    Video(VideoElem),
    /// `TIMRelayElem`
    Relay(RelayElem),
    /// `TIMStreamElem`
    Stream(StreamElem),
    /// Of another type, or of no known shape: its JSON. One that is nested deeper than 64 levels, or would take much more memory
    /// than its text, is a string that has the JSON text; a number beyond `f64` is a string, too.
    Unknown(Value),
}

impl Element {
    /// What a person would read of it, if that is anything.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        let text = match self {
            Self::Text(text) => text.text.as_deref()?.into(),
            Self::Location(location) => location.desc.as_deref()?.into(),
            Self::Custom(custom) => custom.text()?.into(),
            Self::File(file) => file.file_name.as_deref()?.into(),
            Self::Relay(relay) => relay.text()?.into(),
            Self::Stream(stream) => stream.text()?,
            Self::Face(_) | Self::Sound(_) | Self::Image(_) | Self::Video(_) | Self::Unknown(_) => {
                return None;
            }
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

/// The elements' texts, one a line.
pub(super) fn text_of(elements: &[Element]) -> String {
    let texts: Vec<_> = elements.iter().filter_map(Element::text).collect();
    texts.join("\n")
}
