//! Elements that point to a file: sound, image, file and video.
//!
//! Links may be plain http and may expire. Field names: the vendor's page on message formats (trtc.io document 74355),
//! whose spelling differs between elements. Clients of SDK 2.x and 3.x send no links.

use super::wire::object;

/// A sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SoundElem {
    /// Where it can be fetched.
    pub url: Option<String>,
    /// Its key.
    pub uuid: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
    /// In seconds.
    pub second: Option<u64>,
    /// 2: can be fetched from the link.
    pub download_flag: Option<i64>,
}

object!(SoundElem {
    "Url" => url,
    "UUID" => uuid: ElementId,
    "Size" => size,
    "Second" => second,
    "Download_Flag" => download_flag,
});

/// A picture, in several sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageElem {
    /// Its key.
    pub uuid: Option<String>,
    /// 1 JPG, 2 GIF, 3 PNG, 4 BMP, 255 other.
    pub image_format: Option<i64>,
    /// The sizes; neither their number nor their order is promised.
    pub image_info_array: Vec<ImageInfo>,
}

object!(ImageElem {
    "UUID" => uuid: ElementId,
    "ImageFormat" => image_format,
    "ImageInfoArray" => image_info_array,
});

/// A picture in one size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageInfo {
    /// 1 original, 2 large, 3 thumbnail.
    pub kind: Option<i64>,
    /// In bytes.
    pub size: Option<u64>,
    /// In pixels; 0 in some of the vendor's samples.
    pub width: Option<u32>,
    /// In pixels; 0 in some of the vendor's samples.
    pub height: Option<u32>,
    /// Where it can be fetched.
    pub url: Option<String>,
}

object!(ImageInfo {
    "Type" => kind,
    "Size" => size,
    "Width" => width,
    "Height" => height,
    "URL" => url,
});

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileElem {
    /// Where it can be fetched.
    pub url: Option<String>,
    /// Its key.
    pub uuid: Option<String>,
    /// In bytes.
    pub file_size: Option<u64>,
    /// As the client says: it may be a path or a `file:` link of the sender's device. Do not open what it names.
    pub file_name: Option<String>,
    /// 2: can be fetched from the link.
    pub download_flag: Option<i64>,
}

object!(FileElem {
    "Url" => url,
    "UUID" => uuid: ElementId,
    "FileSize" => file_size,
    "FileName" => file_name,
    "Download_Flag" => download_flag,
});

/// A video and its preview picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VideoElem {
    /// Where it can be fetched.
    pub video_url: Option<String>,
    /// Its key.
    pub video_uuid: Option<String>,
    /// In bytes.
    pub video_size: Option<u64>,
    /// In seconds; 0 from web clients.
    pub video_second: Option<u64>,
    /// Such as `mp4`.
    pub video_format: Option<String>,
    /// 2: can be fetched from the link.
    pub video_download_flag: Option<i64>,
    /// Where the preview can be fetched.
    pub thumb_url: Option<String>,
    /// The preview's key.
    pub thumb_uuid: Option<String>,
    /// In bytes.
    pub thumb_size: Option<u64>,
    /// In pixels.
    pub thumb_width: Option<u32>,
    /// In pixels.
    pub thumb_height: Option<u32>,
    /// Such as `JPG`.
    pub thumb_format: Option<String>,
    /// 2: can be fetched from the link.
    pub thumb_download_flag: Option<i64>,
}

object!(VideoElem {
    "VideoUrl" => video_url,
    "VideoUUID" => video_uuid: ElementId,
    "VideoSize" => video_size,
    "VideoSecond" => video_second,
    "VideoFormat" => video_format,
    "VideoDownloadFlag" => video_download_flag,
    "ThumbUrl" => thumb_url,
    "ThumbUUID" => thumb_uuid: ElementId,
    "ThumbSize" => thumb_size,
    "ThumbWidth" => thumb_width,
    "ThumbHeight" => thumb_height,
    "ThumbFormat" => thumb_format,
    "ThumbDownloadFlag" => thumb_download_flag,
});
