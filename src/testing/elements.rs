//! A sample of each element that the vendor documents, and of Desk's own messages.

use serde_json::{Value, json};

/// The types of which [`element`] has a sample.
pub const ELEMENT_TYPES: &[&str] = &[
    "TIMTextElem",
    "TIMLocationElem",
    "TIMFaceElem",
    "TIMCustomElem",
    "TIMSoundElem",
    "TIMImageElem",
    "TIMFileElem",
    "TIMVideoFileElem",
    "TIMRelayElem",
    "TIMStreamElem",
];

/// The sample of one type of element, such as `TIMImageElem`, in the form of the vendor's page on message formats (trtc.io
/// document 74355).
///
/// # Panics
///
/// When no documented element is of that type.
#[must_use]
pub fn element(msg_type: &str) -> Value {
    let content = match msg_type {
        "TIMTextElem" => json!({"Text": "hello world"}),
        "TIMLocationElem" => {
            json!({"Desc": "someinfo", "Latitude": 29.340656774469956, "Longitude": 116.77497920478824})
        }
        "TIMFaceElem" => json!({"Index": 1, "Data": "content"}),
        "TIMCustomElem" => {
            json!({"Data": "message", "Desc": "notification", "Ext": "url", "Sound": "dingdong.aiff"})
        }
        "TIMSoundElem" => json!({
            "Url": "https://media.example.com/sound", "UUID": "sound-1", "Size": 62351, "Second": 1, "Download_Flag": 2,
        }),
        "TIMImageElem" => json!({"UUID": "image-1", "ImageFormat": 1, "ImageInfoArray": [
            {"Type": 1, "Size": 1853095, "Width": 2448, "Height": 3264, "URL": "http://media.example.com/image/0"},
            {"Type": 2, "Size": 2565240, "Width": 0, "Height": 0, "URL": "http://media.example.com/image/720"},
            {"Type": 3, "Size": 12535, "Width": 0, "Height": 0, "URL": "http://media.example.com/image/198"},
        ]}),
        "TIMFileElem" => json!({
            "Url": "https://media.example.com/file", "UUID": "file-1", "FileSize": 1773552,
            "FileName": "file:///private/var/Application/tmp/trim.MOV", "Download_Flag": 2,
        }),
        "TIMVideoFileElem" => json!({
            "VideoUrl": "https://media.example.com/video", "VideoUUID": "video-1", "VideoSize": 1194603,
            "VideoSecond": 5, "VideoFormat": "mp4", "VideoDownloadFlag": 2,
            "ThumbUrl": "https://media.example.com/thumb", "ThumbUUID": "thumb-1", "ThumbSize": 13907,
            "ThumbWidth": 720, "ThumbHeight": 1280, "ThumbFormat": "JPG", "ThumbDownloadFlag": 2,
        }),
        "TIMRelayElem" => json!({
            "Title": "Group chat history", "MsgNum": 1, "CompatibleText": "Please upgrade to the latest version.",
            "AbstractList": ["A: What do you think of this?"],
            "MsgList": [{
                "From_Account": "A", "GroupId": "group1", "MsgSeq": 85, "MsgRandom": 3998651049_u32,
                "MsgTimeStamp": 1664437702, "MsgBody": [element("TIMTextElem")],
            }],
        }),
        "TIMStreamElem" => json!({
            "CompatibleText": "Please upgrade to the latest version.", "StreamMsgID": "stream-1",
            "Chunks": [{"EventType": "data", "Index": 1, "Markdown": "a piece", "IsLast": false}],
        }),
        other => {
            panic!("{other} is no documented type of element; take one of ELEMENT_TYPES, or write its JSON")
        }
    };
    json!({"MsgType": msg_type, "MsgContent": content})
}

/// A custom element that holds one of Desk's own messages: `fields` beside its `src` and its marker.
///
/// ```
/// use serde_json::json;
/// use tencent_desk_webhook::testing;
///
/// let rich = testing::desk_message(30, json!({"content": "**Hello**"}));
/// let fixture = testing::event("Human.AgentSendMsg").elements([rich]);
/// assert!(fixture.to_string().contains("customerServicePlugin"));
/// ```
#[must_use]
pub fn desk_message(src: u32, mut fields: Value) -> Value {
    fields["src"] = src.to_string().into();
    fields["customerServicePlugin"] = 0.into();
    json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": fields.to_string()}})
}
