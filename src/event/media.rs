//! Elements that point to a file: sound, image, file and video.
//!
//! Links may be plain http and may expire. Field names: the vendor's page on message formats (trtc.io document 74355),
//! whose spelling differs between elements. Clients of SDK 2.x and 3.x send no links.

use serde::{Deserialize, Serialize};

use super::lenient::{list, number, text};

/// A sound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SoundElem {
    /// Where it can be fetched.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its key.
    #[serde(rename = "UUID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// In bytes.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// In seconds.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub second: Option<u64>,
    /// 2: can be fetched from the link.
    #[serde(rename = "Download_Flag", deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub download_flag: Option<i64>,
}

/// A picture, in several sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ImageElem {
    /// Its key.
    #[serde(rename = "UUID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// 1 JPG, 2 GIF, 3 PNG, 4 BMP, 255 other.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub image_format: Option<i64>,
    /// The sizes; neither their number nor their order is promised.
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub image_info_array: Vec<ImageInfo>,
}

/// A picture in one size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ImageInfo {
    /// 1 original, 2 large, 3 thumbnail.
    #[serde(rename = "Type", deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub kind: Option<i64>,
    /// In bytes.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// In pixels; 0 in some of the vendor's samples.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels; 0 in some of the vendor's samples.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Where it can be fetched.
    #[serde(rename = "URL", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct FileElem {
    /// Where it can be fetched.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its key.
    #[serde(rename = "UUID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// In bytes.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// As the client says: it may be a path or a `file:` link of the sender's device. Do not open what it names.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// 2: can be fetched from the link.
    #[serde(rename = "Download_Flag", deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub download_flag: Option<i64>,
}

/// A video and its preview picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "PascalCase")]
#[non_exhaustive]
pub struct VideoElem {
    /// Where it can be fetched.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub video_url: Option<String>,
    /// Its key.
    #[serde(rename = "VideoUUID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub video_uuid: Option<String>,
    /// In bytes.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub video_size: Option<u64>,
    /// In seconds; 0 from web clients.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub video_second: Option<u64>,
    /// Such as `mp4`.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub video_format: Option<String>,
    /// 2: can be fetched from the link.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub video_download_flag: Option<i64>,
    /// Where the preview can be fetched.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub thumb_url: Option<String>,
    /// The preview's key.
    #[serde(rename = "ThumbUUID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub thumb_uuid: Option<String>,
    /// In bytes.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub thumb_size: Option<u64>,
    /// In pixels.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub thumb_width: Option<u32>,
    /// In pixels.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub thumb_height: Option<u32>,
    /// Such as `JPG`.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub thumb_format: Option<String>,
    /// 2: can be fetched from the link.
    #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub thumb_download_flag: Option<i64>,
}
