//! What is wrong or unusual about a delivery's query and headers.

use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use http::{HeaderName, HeaderValue, Method};
use tencent_desk_webhook::testing::Delivery;

use crate::failure::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Query, headers and faults")]
pub(super) struct Faults {
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
    pub(super) request_id: Option<String>,
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

type Fault = fn(Delivery) -> Delivery;

impl Faults {
    pub(super) fn apply(
        &self,
        app: u64,
        mut delivery: Delivery,
        is_signed: bool,
    ) -> Result<Delivery, Failure> {
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
