//! Each stage on its own, for `benches/delivery`, which compiles this file with `--cfg desk_stages`.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use tokio::time::Instant;

use super::{
    Answer, Refusal, Webhook,
    body::BodyReader,
    dispatch,
    dispatch::Slot,
    parse::{self, Parsed},
    query::Query,
    response::Acknowledged,
    telemetry::Delivery,
    verify::Trust,
};
use crate::{event::Event, handler::Deliver, telemetry::RateLimit};

#[derive(Clone, Debug)]
pub struct Claims<'q>(Query<'q>);

#[derive(Clone, Debug)]
pub struct Believed<'q>(Query<'q>, Trust);

pub fn query(query: &str) -> Result<Claims<'_>, Refusal> {
    Query::parse(query).map(Claims)
}

pub fn verify<'q, H: Deliver>(webhook: &Webhook<H>, claims: Claims<'q>) -> Result<Believed<'q>, Refusal> {
    webhook.verify(&claims.0).map(|trust| Believed(claims.0, trust))
}

pub async fn body<H: Deliver, B: Body>(webhook: &Webhook<H>, body: B) -> Result<String, Refusal> {
    BodyReader::new(std::pin::pin!(body)).read(false, &webhook.settings).await
}

pub fn parse(text: String, believed: Believed<'_>) -> Result<Option<Arc<Event>>, Refusal> {
    parse::parse(text, believed.0, believed.1).map(|parsed| match parsed {
        Parsed::Event(event) => Some(event),
        _ => None,
    })
}

pub async fn dispatch<H: Deliver>(webhook: &Webhook<H>, event: Arc<Event>) -> Result<(), Refusal> {
    let limit = RateLimit::default();
    let delivery = Delivery::begin(&limit);
    let slot = Slot::take(&webhook.shared).ok_or(Refusal::Overloaded)?;
    dispatch::dispatch(event, slot, &webhook.settings, &delivery, Instant::now()).await.map(|_| ())
}

pub fn response() -> Response<Full<Bytes>> {
    Answer::to(Ok(Acknowledged::Handled.into())).into_response()
}
