//! `desk send`: one delivery.

mod answer;
mod content;
mod faults;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use clap::Args;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tencent_desk_webhook::testing::Delivery;

use self::{content::Content, faults::Faults};
use crate::{
    catalog,
    cli::Common,
    client::Client,
    curl,
    failure::{Failure, exit},
    output::Output,
    target::Target,
};

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// Event or command, such as Human.UserSendMsg. Any other name is sent as it is
    #[arg(value_parser = catalog::NameParser, required_unless_present = "body")]
    event: Option<String>,
    /// Callback URL
    #[arg(long, value_name = "URL")]
    to: Target,
    /// Print the curl command for it and send nothing
    #[arg(long)]
    curl: bool,
    #[command(flatten)]
    content: Content,
    #[command(flatten)]
    faults: Faults,
}

pub(crate) async fn run(common: &Common, args: SendArgs, output: &Output) -> Result<ExitCode, Failure> {
    let body = args.content.make(args.event.as_deref().unwrap_or_default(), output)?;
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
    answer::print(&answer, output);
    Ok(exit(answer.is_accepted()))
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

/// The delivery as a request to `target`.
pub(crate) fn request(delivery: &Delivery, target: &Target) -> Result<Request<Full<Bytes>>, Failure> {
    let mut request = delivery.request();
    *request.uri_mut() = target.with_query(&delivery.query()).map_err(Failure::Usage)?;
    Ok(request)
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}
