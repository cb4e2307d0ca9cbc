//! Each stage alone, to be measured: `benches/delivery` compiles this with `--cfg desk_stages`, and nobody else does.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use tokio::time::Instant;

use super::{
    Answer, Webhook, body::Inbound, dispatch, dispatch::Slot, parse, query::Query, verify::Verified,
};
use crate::{error::Refusal, event::Event, handler::Deliver, telemetry::Delivery};

#[derive(Clone, Debug)]
pub struct Claims<'q>(Query<'q>);

#[derive(Clone, Debug)]
pub struct Believed<'q>(Verified<'q>);

pub fn query(query: &str) -> Result<Claims<'_>, Refusal> {
    Query::parse(query).map(Claims)
}

pub fn verify<'q, H: Deliver>(webhook: &Webhook<H>, claims: Claims<'q>) -> Result<Believed<'q>, Refusal> {
    webhook.verify(claims.0).map(Believed)
}

pub async fn body<H: Deliver, B: Body>(webhook: &Webhook<H>, body: B) -> Result<String, Refusal> {
    Inbound::new(std::pin::pin!(body)).read(false, &webhook.settings).await
}

pub fn parse(text: String, believed: Believed<'_>) -> Result<Option<Arc<Event>>, Refusal> {
    parse::parse(text, believed.0)
}

pub async fn dispatch<H: Deliver>(webhook: &Webhook<H>, event: Arc<Event>) -> Result<(), Refusal> {
    let delivery = Delivery::begin();
    let slot = Slot::take(&webhook.shared, usize::MAX).ok_or(Refusal::Overloaded)?;
    dispatch::dispatch(event, slot, &webhook.settings, &delivery, Instant::now()).await.map(|_| ())
}

pub fn response() -> Response<Full<Bytes>> {
    Answer::accepted().into_response()
}
