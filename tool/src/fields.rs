//! Changes to single fields of a body.

use std::str::FromStr;

use serde_json::Value;

/// `Name=value`, `Name:=json`, or `/json/pointer=value`.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    place: String,
    value: String,
    is_json: bool,
}

impl FromStr for Set {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, value) = text.split_once('=').ok_or("it has to be Name=value")?;
        let (place, is_json) = place.strip_suffix(':').map_or((place, false), |place| (place, true));
        if place.is_empty() {
            return Err("it has to begin with a name".to_owned());
        }
        if is_json {
            serde_json::from_str::<Value>(value)
                .map_err(|error| format!("behind := has to be JSON: {error}"))?;
        }
        Ok(Self { place: place.to_owned(), value: value.to_owned(), is_json })
    }
}

/// What the vendor documents as text stays text, whatever it looks like.
const TEXTS: [&str; 12] = [
    "AgentId",
    "CallbackCommand",
    "ChannelType",
    "ClientUserId",
    "CloudCustomData",
    "CustomerServiceId",
    "Event",
    "ForwardFromAgentId",
    "MemberId",
    "MsgKey",
    "SessionId",
    "Text",
];

impl Set {
    pub(crate) fn apply(&self, body: &mut Value) -> Result<(), String> {
        let name = self.place.rsplit('/').next().unwrap_or_default();
        let as_text = !self.is_json && TEXTS.contains(&name);
        let parsed = if as_text { None } else { serde_json::from_str(&self.value).ok() };
        let value = parsed.unwrap_or_else(|| Value::String(self.value.clone()));
        let (parent, name) = self.parent(body)?;
        match parent {
            Value::Object(fields) => {
                fields.insert(name, value);
                Ok(())
            }
            Value::Array(items) => {
                let item = name.parse().ok().and_then(|at: usize| items.get_mut(at));
                *item.ok_or_else(|| format!("{}: there is no such item", self.place))? = value;
                Ok(())
            }
            _ => Err(format!("{}: there is no object to put it into", self.place)),
        }
    }

    fn parent<'v>(&self, body: &'v mut Value) -> Result<(&'v mut Value, String), String> {
        if !self.place.starts_with('/') {
            return Ok((body, self.place.clone()));
        }
        let (parent, name) = self.place.rsplit_once('/').unwrap_or_default();
        let found = body
            .pointer_mut(parent)
            .ok_or_else(|| format!("{}: there is nothing at {parent}", self.place))?;
        Ok((found, name.replace("~1", "/").replace("~0", "~")))
    }
}

/// Takes a field away, by its name or its JSON pointer.
pub(crate) fn unset(body: &mut Value, place: &str) -> Result<(), String> {
    let (parent, name) =
        if place.starts_with('/') { place.rsplit_once('/').unwrap_or_default() } else { ("", place) };
    let fields = body.pointer_mut(parent).and_then(Value::as_object_mut);
    let fields = fields.ok_or_else(|| format!("{place}: there is no object to take it from"))?;
    fields.remove(name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_json_where_they_can_be_and_documented_texts_stay_texts() {
        let mut body = json!({"MsgBody": [{"MsgContent": {"Text": "a"}}]});
        for set in [
            "Stars=5",
            "Name=x y",
            "ClientUserId=123",
            "MsgKey:=7",
            "/MsgBody/0/MsgContent/Text=b=c",
            "List=[1,null]",
        ] {
            set.parse::<Set>().unwrap().apply(&mut body).unwrap();
        }
        assert_eq!(
            body,
            json!({"Stars": 5, "Name": "x y", "ClientUserId": "123", "MsgKey": 7, "List": [1, null],
                "MsgBody": [{"MsgContent": {"Text": "b=c"}}]})
        );
        unset(&mut body, "/MsgBody/0/MsgContent/Text").unwrap();
        unset(&mut body, "List").unwrap();
        assert_eq!(body["MsgBody"], json!([{"MsgContent": {}}]));
        assert!(body["List"].is_null());
        assert!("Name".parse::<Set>().is_err());
        assert!("Name:={".parse::<Set>().is_err());
        assert!("/None/x=1".parse::<Set>().unwrap().apply(&mut body).is_err());
    }
}
