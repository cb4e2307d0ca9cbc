//! A bundle of messages that was passed on, bundles among them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Element,
    element::text_of,
    lenient::{items, last_counts, number, read, text, texts},
};

/// Messages that were passed on together (trtc.io document 74355).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct RelayElem {
    /// The bundle's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many messages it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_num: Option<u64>,
    /// What clients show that know no bundles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatible_text: Option<String>,
    /// The messages in short.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub abstract_list: Vec<String>,
    /// The messages, unless they are larger than 12 KB.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub msg_list: Vec<RelayedMessage>,
    /// What larger ones can be fetched with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_msg_key: Option<String>,
}

impl RelayElem {
    pub(super) fn parse(content: &str, depth: usize) -> Option<Self> {
        // Each level reads the rest of the text again and takes up stack.
        let depth = depth.checked_add(1).filter(|depth| *depth <= DEPTH_LIMIT)?;
        let wire: Wire<'_> = read(content)?;
        let messages = items(wire.msg_list.map_or("[]", RawValue::get));
        Some(Self {
            title: wire.title,
            msg_num: wire.msg_num,
            compatible_text: wire.compatible_text,
            abstract_list: wire.abstract_list,
            msg_list: messages
                .iter()
                .filter_map(|json| last_counts(json.get(), |json| RelayedMessage::parse(json, depth)))
                .collect(),
            json_msg_key: wire.json_msg_key,
        })
    }

    pub(super) fn text(&self) -> Option<String> {
        let lines: Vec<&str> = self.title.iter().chain(&self.abstract_list).map(String::as_str).collect();
        if lines.is_empty() { self.compatible_text.clone() } else { Some(lines.join("\n")) }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Wire<'a> {
    #[serde(deserialize_with = "text")]
    title: Option<String>,
    #[serde(deserialize_with = "number")]
    msg_num: Option<u64>,
    #[serde(deserialize_with = "text")]
    compatible_text: Option<String>,
    #[serde(deserialize_with = "texts")]
    abstract_list: Vec<String>,
    #[serde(borrow)]
    msg_list: Option<&'a RawValue>,
    #[serde(deserialize_with = "text")]
    json_msg_key: Option<String>,
}

/// One message of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct RelayedMessage {
    /// Who sent it.
    #[serde(rename = "From_Account", skip_serializing_if = "Option::is_none")]
    pub from_account: Option<String>,
    /// Where it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// Its number there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_seq: Option<u64>,
    /// Larger than `i32` in the vendor's sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_random: Option<u64>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_time_stamp: Option<u64>,
    /// What it is made of. Bundles in bundles are typed down to eight levels.
    #[serde(rename = "MsgBody", skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<Element>,
}

impl RelayedMessage {
    fn parse(json: &str, depth: usize) -> Option<Self> {
        let wire: RelayedWire<'_> = read(json)?;
        Some(Self {
            from_account: wire.from_account,
            group_id: wire.group_id,
            msg_seq: wire.msg_seq,
            msg_random: wire.msg_random,
            msg_time_stamp: wire.msg_time_stamp,
            elements: Element::parse_all(wire.msg_body.map_or("[]", RawValue::get), depth),
        })
    }

    /// What a person would read.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(&self.elements)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RelayedWire<'a> {
    #[serde(rename = "From_Account", deserialize_with = "text")]
    from_account: Option<String>,
    #[serde(deserialize_with = "text")]
    group_id: Option<String>,
    #[serde(deserialize_with = "number")]
    msg_seq: Option<u64>,
    #[serde(deserialize_with = "number")]
    msg_random: Option<u64>,
    #[serde(deserialize_with = "number")]
    msg_time_stamp: Option<u64>,
    #[serde(borrow)]
    msg_body: Option<&'a RawValue>,
}

const DEPTH_LIMIT: usize = 8;
