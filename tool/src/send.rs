//! `desk send`: one delivery.

use std::{
    fs,
    io::{self, Read as _},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use clap::{Args, builder::PossibleValuesParser};
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tencent_desk_webhook::testing::{Delivery, ELEMENT_TYPES, element};

use crate::{
    catalog,
    cli::Common,
    client::{Answer, Client},
    curl,
    failure::{Failure, exit},
    fields::{self, Set},
    output::{Colour, Output},
    remedy,
    target::Target,
    text::{printable, shortened},
};

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// Event or command, such as Human.UserSendMsg. Any other name is sent as it is
    #[arg(value_parser = catalog::NameParser, required_unless_present = "body")]
    event: Option<String>,
    /// Callback URL
    #[arg(long, value_name = "URL")]
    to: Target,
    #[command(flatten)]
    content: Content,
    #[command(flatten)]
    faults: Faults,
    /// Print the curl command for it and send nothing
    #[arg(long)]
    curl: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Content")]
struct Content {
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

#[derive(Debug, Args)]
#[command(next_help_heading = "Query, headers and faults")]
struct Faults {
    /// Alter a bit of the signature
    #[arg(long)]
    wrong_signature: bool,
    /// Leave out Sign and RequestTime
    #[arg(long)]
    unsigned: bool,
    /// Sign it for an hour ago
    #[arg(long)]
    stale: bool,
    /// Sign it for this time, in Unix seconds
    #[arg(long, value_name = "SECONDS", conflicts_with = "stale")]
    time: Option<u64>,
    /// Name another app
    #[arg(long)]
    foreign_app: bool,
    /// Leave out SdkAppid
    #[arg(long, conflicts_with = "foreign_app")]
    without_app: bool,
    /// CallbackCommand in the query
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// Leave out CallbackCommand in the query
    #[arg(long, conflicts_with = "command")]
    without_command: bool,
    /// RequestID
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Leave out RequestID
    #[arg(long, conflicts_with = "request_id")]
    without_request_id: bool,
    /// Append a parameter; one that is there already is then there twice
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameter: Vec<(String, String)>,
    /// Add a header
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// Use another method than POST
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has to be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("it has to be NAME: VALUE")?;
    let name = name.trim().parse().map_err(|error| format!("{error}"))?;
    Ok((name, value.trim().parse().map_err(|error| format!("{error}"))?))
}

pub(crate) async fn run(common: &Common, args: SendArgs, output: &Output) -> Result<ExitCode, Failure> {
    let body = body(&args, output)?;
    let delivery = delivery(common, &args, body.clone())?;
    let request = request(&delivery, &args.to)?;
    if args.curl {
        let command = curl::command(&request, &body)?;
        if output.json {
            output.value(&json!({"curl": command}));
        } else {
            output.line(&command);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let client = Client::new(&args.to)?;
    let answer = client.send(request).await;
    let answer =
        answer.map_err(|lost| Failure::Failed(format!("{} did not answer: {lost}", args.to.place())))?;
    print(&answer, output);
    Ok(exit(answer.is_accepted()))
}

fn body(args: &SendArgs, output: &Output) -> Result<Bytes, Failure> {
    let content = &args.content;
    let given = content.body.as_deref().map(read).transpose()?;
    let mut json = match &given {
        // Bytes that are to be sent as they are may be anything.
        Some(bytes) if !content.changes_fields() => return Ok(bytes.clone()),
        Some(bytes) => serde_json::from_slice(bytes).map_err(|error| {
            Failure::Usage(format!("--body: only fields of JSON can be changed: {error}"))
        })?,
        None => sample(args.event.as_deref().unwrap_or_default(), output),
    };
    content.apply(&mut json).map_err(Failure::Usage)?;
    Ok(json.to_string().into())
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

fn delivery(common: &Common, args: &SendArgs, body: Bytes) -> Result<Delivery, Failure> {
    let faults = &args.faults;
    let stated = serde_json::from_slice::<Value>(&body).ok();
    let stated = stated.as_ref().and_then(|body| body["CallbackCommand"].as_str());
    let now = SystemTime::now();
    let mut delivery = Delivery::of(body.clone()).app(common.app()).at(now);
    delivery = match common.signing_token()? {
        Some(token) => delivery.token(token),
        None => delivery.unsigned(),
    };
    let named = args.event.as_deref().map(|name| catalog::body(name).0["CallbackCommand"].clone());
    if let Some(command) = named.as_ref().and_then(Value::as_str).or(stated) {
        delivery = delivery.command(command);
    }
    let unique = format!("desk-{:x}-{:x}", since_epoch(now).as_nanos(), std::process::id());
    delivery = delivery.request_id(faults.request_id.clone().unwrap_or(unique));
    faults.apply(common.app(), delivery, common.signing_token()?.is_some())
}

type Fault = fn(Delivery) -> Delivery;

impl Faults {
    fn apply(&self, app: u64, mut delivery: Delivery, is_signed: bool) -> Result<Delivery, Failure> {
        if !is_signed && (self.wrong_signature || self.stale || self.time.is_some()) {
            let text =
                "--wrong-signature, --stale and --time need a token: there is no signature without one";
            return Err(Failure::Usage(text.to_owned()));
        }
        if let Some(seconds) = self.time {
            delivery = delivery.at(UNIX_EPOCH + Duration::from_secs(seconds));
        }
        if let Some(command) = &self.command {
            delivery = delivery.command(command);
        }
        if let Some(method) = &self.method {
            delivery = delivery.method(method.clone());
        }
        let switches: [(bool, Fault); 6] = [
            (self.wrong_signature, Delivery::wrong_signature),
            (self.unsigned, Delivery::unsigned),
            (self.stale, Delivery::stale),
            (self.without_app, Delivery::without_app),
            (self.without_command, Delivery::without_command),
            (self.without_request_id, Delivery::without_request_id),
        ];
        for (_, fault) in switches.into_iter().filter(|(is_wanted, _)| *is_wanted) {
            delivery = fault(delivery);
        }
        if self.foreign_app {
            delivery = delivery.app(app.wrapping_add(1));
        }
        for (name, value) in &self.parameter {
            delivery = delivery.parameter(name, value);
        }
        for (name, value) in &self.header {
            delivery = delivery.header(name.clone(), value.clone());
        }
        Ok(delivery)
    }
}

/// The delivery as a request to `target`.
pub(crate) fn request(delivery: &Delivery, target: &Target) -> Result<Request<Full<Bytes>>, Failure> {
    let mut request = delivery.request();
    *request.uri_mut() = target.with_query(&delivery.query()).map_err(Failure::Usage)?;
    Ok(request)
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// When a receiver of this library answers at the latest.
const USUAL: Duration = Duration::from_millis(1500);

fn print(answer: &Answer, output: &Output) {
    let (json, code) = (answer.json(), answer.error_code());
    let remedy = code.and_then(remedy::of);
    let millis = answer.took.as_secs_f64() * 1000.0;
    let is_slow = answer.took > USUAL;
    if output.json {
        output.value(&json!({
            "status": answer.status.as_u16(), "accepted": answer.is_accepted(), "ErrorCode": code,
            "ErrorInfo": json["ErrorInfo"], "reason": remedy.map(|remedy| remedy.reason()),
            "remedy": remedy.map(|remedy| remedy.remedy()), "milliseconds": (millis * 10.0).round() / 10.0,
            "slow": is_slow, "answer": if json.is_null() { String::from_utf8_lossy(&answer.body).into() } else { json.clone() },
        }));
    } else {
        let colour = if answer.is_accepted() { Colour::Green } else { Colour::Red };
        let verdict = if answer.is_accepted() { "accepted" } else { "refused" };
        let reason = remedy.map(|remedy| format!(": {}", remedy.reason())).unwrap_or_default();
        let code = code.map(|code| format!(", ErrorCode {code}")).unwrap_or_default();
        let status = answer.status.as_u16();
        output.line(&format!(
            "{} status {status}{code}{reason}, after {millis:.0} ms",
            output.paint(colour, verdict)
        ));
        output.line(&format!(
            "  answer: {}",
            printable(&shortened(&String::from_utf8_lossy(&answer.body), 2000))
        ));
        if let Some(remedy) = remedy {
            output.line(&format!("  remedy: {}", remedy.remedy()));
        } else if !json.is_object() {
            output.line("  remedy: this is no answer of a webhook of this library: look at the path, and at proxies on the way");
        }
    }
    if is_slow {
        output.warn(&format!(
            "the answer took {:.1} s: a webhook of this library answers within 1.5 s, and the sender of IM callbacks gives up after 2 s",
            answer.took.as_secs_f64()
        ));
    }
}
