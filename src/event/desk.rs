//! Desk's own messages: JSON text inside a custom element's `Data`.
//!
//! They are not documented. What is here was read from the source of the vendor's client libraries: the npm package
//! `@tencentcloud/tui-customer-service-plugin` 2.2.6, the iOS pod TDeskCustomerServicePlugin 2.1.2, and the uni-app
//! library 1.4.0. Which of these messages a callback forwards is unknown.

use serde_json::Value;

use super::{
    Src, Visibility,
    wire::{mend, weigh},
};

/// One of Desk's own messages.
///
/// ```
/// use tencent_desk_webhook::event::{DeskMessage, Src, Visibility};
///
/// let message = DeskMessage::parse(r#"{"customerServicePlugin":0,"src":"30","content":"**Hello**"}"#).unwrap();
/// assert_eq!(message.src, Src::RichText);
/// assert_eq!(message.visibility(), Visibility::Message);
/// assert_eq!(message.text().as_deref(), Some("**Hello**"));
///
/// let typing = DeskMessage::parse(r#"{"customerServicePlugin":0,"src":"12"}"#).unwrap();
/// assert!(typing.is_control());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeskMessage {
    /// What kind of message it is.
    pub src: Src,
    /// The message as it came.
    pub json: Value,
}

impl DeskMessage {
    /// `None` if `data` is not the JSON of one of Desk's messages: they have a `src` beside `customerServicePlugin` 0 (or
    /// none, which the iOS client reads as 0) or `chatbotPlugin` 1 or 2.
    #[must_use]
    pub fn parse(data: &str) -> Option<Self> {
        let json = parse(data)?;
        let src = number(&json["src"])?;
        let src = match (number(&json["customerServicePlugin"]), number(&json["chatbotPlugin"])) {
            (_, Some(1 | 2)) => Src::of_chat_bot(src),
            (Some(0), _) => Src::of_customer_service(src),
            (None, None) if json["customerServicePlugin"].is_null() => Src::of_customer_service(src),
            _ => return None,
        };
        Some(Self { src, json })
    }

    /// Where the vendor's clients show it.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        self.src.visibility()
    }

    /// Whether it only steers clients, and is shown nowhere.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.visibility() == Visibility::Hidden
    }

    /// What a person would read: headings and choices, one a line. Control messages and tips have no text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let content = &self.json["content"];
        let lines = match self.src {
            Src::RatingRequest => {
                let menu = &self.json["menuContent"];
                collect([&menu["head"]], &menu["menu"], "content")
            }
            Src::Branch | Src::FormInput | Src::TaskBranch => {
                collect([&content["header"]], &content["items"], "content")
            }
            Src::ProductCard => collect([&content["header"], &content["desc"]], &Value::Null, ""),
            Src::Welcome => collect([&content["title"]], &content["items"], "content"),
            Src::RichText => collect([content], &Value::Null, ""),
            Src::InfoCollector => collect([&content["tip"]], &content["inputVariables"], "name"),
            Src::StreamText | Src::ChatBotStream => {
                let chunks = self.json["chunks"].as_array().map_or(&[][..], Vec::as_slice);
                vec![chunks.iter().filter_map(Value::as_str).collect()]
            }
            _ => Vec::new(),
        };
        Some(lines.join("\n")).filter(|text| !text.is_empty())
    }
}

/// An object that is not so large as a `Value` that no message of Desk's is.
fn parse(data: &str) -> Option<Value> {
    if weigh(data).bytes > LARGEST {
        return None;
    }
    let value = serde_json::from_str(data).or_else(|error| {
        let mended = mend(data);
        mended.map_or(Err(error), |mended| serde_json::from_str(&mended))
    });
    value.ok().filter(Value::is_object)
}

/// In memory.
const LARGEST: usize = 4 * 1024 * 1024;

fn collect<const N: usize>(headings: [&Value; N], items: &Value, name: &str) -> Vec<String> {
    let items = items.as_array().map_or(&[][..], Vec::as_slice);
    let texts = headings.into_iter().chain(items.iter().map(|item| &item[name]));
    texts.filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// The clients write these numbers as numbers or as strings.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}
