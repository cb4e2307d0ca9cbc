//! Requests for decisions.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};

use crate::event::wire::{BYTE_ORDER_MARK, Object, ParseError, mend, object, read_object};

/// A verified request for a decision.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// `SdkAppid` of the query: the app, as verified.
    pub sdk_app_id: u64,
    /// `CallbackCommand` of the query, or else of the body, as it came. The signature does not cover it.
    pub command: String,
    /// `RequestID` of the query.
    pub request_id: Option<String>,
    /// `ClientIP` of the query.
    pub client_ip: Option<String>,
    /// `OptPlatform` of the query.
    pub platform: Option<String>,
    pub(crate) raw: String,
}

impl Request {
    pub(crate) fn new(
        sdk_app_id: u64,
        command: &str,
        [request_id, client_ip, platform]: [Option<Cow<'_, str>>; 3],
        body: &str,
    ) -> Self {
        let own = |value: Option<Cow<'_, str>>| value.map(Cow::into_owned);
        Self {
            sdk_app_id,
            command: command.to_owned(),
            request_id: own(request_id),
            client_ip: own(client_ip),
            platform: own(platform),
            raw: body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body).to_owned(),
        }
    }

    /// The body as it came; only a byte order mark before it is left out.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Reads the body as JSON. Halves of a surrogate pair, which Rust's strings cannot hold, are replaced with U+FFFD.
    ///
    /// # Errors
    ///
    /// When the body is not what `T` expects.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.raw).or_else(|error| match mend(&self.raw) {
            Some(mended) => serde_json::from_str(&mended),
            None => Err(error),
        })
    }

    /// Returns the fields of the body. A value that is nested too deeply for serde_json is the text of its JSON.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        let fields: BTreeMap<String, Box<RawValue>> = self.json().unwrap_or_default();
        let value = |json: &RawValue| {
            let json = json.get();
            let mended = || mend(json).and_then(|mended| serde_json::from_str(&mended).ok());
            serde_json::from_str(json).ok().or_else(mended).unwrap_or_else(|| json.into())
        };
        fields.into_iter().map(|(name, json)| (name, value(&json))).collect()
    }

    pub(crate) fn read<T: for<'de> Object<'de>>(&self) -> Result<T, ParseError> {
        read_object(&self.raw)
    }
}

/// One JSON object: the fields of the body, with `CallbackCommand`, `SdkAppid` and `RequestID`.
impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = self.fields();
        fields.entry("CallbackCommand").or_insert_with(|| self.command.as_str().into());
        fields.insert("SdkAppid".to_owned(), self.sdk_app_id.into());
        if let Some(request_id) = &self.request_id {
            fields.insert("RequestID".to_owned(), request_id.as_str().into());
        }
        fields.serialize(serializer)
    }
}

/// A session that waits for an agent. The vendor's page: product 1229, document 68988.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssignAgent {
    /// `SessionId`.
    pub session_id: Option<String>,
    /// `ClientUserId`: the end user.
    pub client_user_id: Option<String>,
    /// `CustomerServiceId`: the account of the customer service. Chinese edition only, with the light SDK.
    pub customer_service_id: Option<String>,
    /// `EventTime`: milliseconds since 1970.
    pub time_millis: Option<i64>,
}

object! {
    AssignAgent {
        "SessionId" => session_id: Id,
        "ClientUserId" => client_user_id: Id,
        "CustomerServiceId" => customer_service_id: Id,
        "EventTime" => time_millis,
    }
}

/// A call of an interface by a task of the bot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invocation {
    /// `Body`: the variables. One that is not a text has the text of its JSON, and `null` is an empty text.
    pub variables: BTreeMap<String, String>,
    /// `EventTime`: milliseconds since 1970.
    pub time_millis: Option<i64>,
}

object! {
    Invocation {
        "Body" => variables: Variables,
        "EventTime" => time_millis,
    }
}

impl Invocation {
    /// Returns a variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// `SystemClientUserID`: the end user.
    #[must_use]
    pub fn client_user_id(&self) -> Option<&str> {
        self.variable("SystemClientUserID").filter(|id| !id.is_empty())
    }

    /// `SystemSessionID`.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.variable("SystemSessionID").filter(|id| !id.is_empty())
    }
}

/// An agent, or the vendor's REST interface, is about to contact a user. The vendor's page: product 269, document 120667.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContactUser {
    /// `ClientUserId`: the end user.
    pub client_user_id: Option<String>,
    /// `ChannelId`: the account of the customer service.
    pub channel_id: Option<String>,
    /// `ChannelType`, such as `SDK`.
    pub channel_type: Option<String>,
    /// `GroupId`: the agent group. A number in the vendor's sample and a text in its table.
    pub group_id: Option<String>,
    /// `MemberId`: the agent; an e-mail address in the sample, so personal data.
    pub member_id: Option<String>,
    /// `EventTime`: milliseconds since 1970.
    pub time_millis: Option<i64>,
}

object! {
    ContactUser {
        "ClientUserId" => client_user_id: Id,
        "ChannelId" => channel_id: Id,
        "ChannelType" => channel_type: Text,
        "GroupId" => group_id: Id,
        "MemberId" => member_id: Id,
        "EventTime" => time_millis,
    }
}
