//! A bundle of messages that was passed on, bundles among them.

use super::{Element, element::text_of, wire::object};

/// Messages that were passed on together (trtc.io document 74355).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RelayElem {
    /// The bundle's title.
    pub title: Option<String>,
    /// How many messages it has.
    pub msg_num: Option<u64>,
    /// What clients show that know no bundles.
    pub compatible_text: Option<String>,
    /// The messages in short.
    pub abstract_list: Vec<String>,
    /// The messages, unless they are larger than 12 KB.
    pub msg_list: Vec<RelayedMessage>,
    /// What larger ones can be fetched with.
    pub json_msg_key: Option<String>,
}

impl RelayElem {
    pub(super) fn text(&self) -> Option<String> {
        let lines: Vec<&str> = self.title.iter().chain(&self.abstract_list).map(String::as_str).collect();
        if lines.is_empty() { self.compatible_text.clone() } else { Some(lines.join("\n")) }
    }
}

object!(RelayElem {
    "Title" => title,
    "MsgNum" => msg_num,
    "CompatibleText" => compatible_text,
    "AbstractList" => abstract_list,
    "MsgList" => msg_list,
    "JsonMsgKey" => json_msg_key: ElementId,
});

/// One message of a bundle.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RelayedMessage {
    /// Who sent it.
    pub from_account: Option<String>,
    /// Where it was sent.
    pub group_id: Option<String>,
    /// Its number there.
    pub msg_seq: Option<u64>,
    /// Larger than `i32` in the vendor's sample.
    pub msg_random: Option<u64>,
    /// Unix seconds.
    pub msg_time_stamp: Option<u64>,
    /// What it is made of. Bundles in bundles are typed down to eight levels.
    pub elements: Vec<Element>,
}

impl RelayedMessage {
    /// What a person would read.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(&self.elements)
    }
}

object!(RelayedMessage {
    "From_Account" => from_account: ElementId,
    "GroupId" => group_id: ElementId,
    "MsgSeq" => msg_seq,
    "MsgRandom" => msg_random,
    "MsgTimeStamp" => msg_time_stamp,
    "MsgBody" => elements,
});
