//! The body of a delivery: a sample or a given one, with changes.

use std::{
    fs,
    io::{self, Read as _},
    time::SystemTime,
};

use bytes::Bytes;
use clap::{Args, builder::PossibleValuesParser};
use serde_json::{Value, json};
use tencent_desk_webhook::testing::{ELEMENT_TYPES, element};

use super::since_epoch;
use crate::{
    catalog,
    failure::Failure,
    fields::{self, Set},
    output::Output,
    text::printable,
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Content")]
pub(super) struct Content {
    /// A text in MsgBody
    #[arg(long)]
    text: Option<String>,
    /// SessionId
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// ClientUserId
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// AgentId
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// SatisfactionSelected
    #[arg(long, value_name = "NUMBER")]
    stars: Option<u8>,
    /// A sample of an element in MsgBody; can be repeated
    #[arg(long, value_name = "TYPE", value_parser = PossibleValuesParser::new(ELEMENT_TYPES))]
    element: Vec<String>,
    /// Set any field: Name=value, Name:=JSON, or /path/to/name=value. A value that reads as JSON is JSON, except in fields that
    /// the vendor documents as text
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Set>,
    /// Leave a field out
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
    /// Send this body: a file, or - for standard input
    #[arg(long, value_name = "FILE")]
    body: Option<String>,
}

/// A new event each time: one that a receiver knows would be a repeat.
fn sample(name: &str, output: &Output) -> Value {
    let (mut body, is_known) = catalog::body(name);
    if !is_known {
        output.warn(&format!("{} is no event that this version knows: it is sent as it is", printable(name)));
    }
    let now = since_epoch(SystemTime::now());
    body["EventTime"] = (now.as_millis() as u64).into();
    if !body["MsgKey"].is_null() {
        body["MsgKey"] = format!("desk-{}", now.as_micros()).into();
    }
    body
}

impl Content {
    /// The body: the given one or a sample of the event, with the changes.
    pub(super) fn make(&self, event: &str, output: &Output) -> Result<Bytes, Failure> {
        let given = self.body.as_deref().map(read).transpose()?;
        let mut json = match &given {
            // Bytes that are to be sent as they are may be anything.
            Some(bytes) if !self.changes_fields() => return Ok(bytes.clone()),
            Some(bytes) => serde_json::from_slice(bytes).map_err(|error| {
                Failure::Usage(format!("--body: only fields of JSON can be changed: {error}"))
            })?,
            None => sample(event, output),
        };
        self.apply(&mut json).map_err(Failure::Usage)?;
        Ok(json.to_string().into())
    }

    fn changes_fields(&self) -> bool {
        let Self { text, session, user, agent, stars, element, set, unset, body: _ } = self;
        [text, session, user, agent].iter().any(|field| field.is_some())
            || stars.is_some()
            || !element.is_empty()
            || !set.is_empty()
            || !unset.is_empty()
    }

    fn apply(&self, body: &mut Value) -> Result<(), String> {
        let fields = body.as_object_mut().ok_or("the body has to be a JSON object, for a field to be set")?;
        for (name, value) in
            [("SessionId", &self.session), ("ClientUserId", &self.user), ("AgentId", &self.agent)]
        {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value.as_str().into());
            }
        }
        if let Some(stars) = self.stars {
            fields.insert("SatisfactionSelected".to_owned(), stars.into());
        }
        let text =
            self.text.iter().map(|text| json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}));
        let elements: Vec<Value> = text.chain(self.element.iter().map(|name| element(name))).collect();
        if !elements.is_empty() {
            fields.insert("MsgBody".to_owned(), elements.into());
        }
        self.set.iter().try_for_each(|set| set.apply(body))?;
        self.unset.iter().try_for_each(|place| fields::unset(body, place))
    }
}

fn read(place: &str) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let read = match place {
        "-" => io::stdin().read_to_end(&mut bytes).map(|_| ()),
        path => fs::read(path).map(|read| bytes = read),
    };
    read.map_err(|error| Failure::Failed(format!("{} cannot be read: {error}", printable(place))))?;
    Ok(bytes.into())
}
