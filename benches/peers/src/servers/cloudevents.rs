//! cloudevents-sdk's axum extractor: an event with its attributes in headers ("binary mode") and the sample as its data. The handler
//! parses the data, because the extractor returns bytes. There is no signature.

use std::time::Duration;

use axum::{Router, extract::State, http::StatusCode, routing::post};
use cloudevents::{Data, Event as CloudEvent};

use super::{by_hand::Event, handler::handle, serving::serve_axum};
use crate::Result;

pub(super) async fn serve(delay: Duration) -> Result<()> {
    serve_axum(Router::new().route("/events", post(received)).with_state(delay)).await
}

async fn received(State(delay): State<Duration>, event: CloudEvent) -> StatusCode {
    let Some(Data::Binary(data)) = event.data() else {
        return StatusCode::BAD_REQUEST;
    };
    match serde_json::from_slice::<Event>(data) {
        Ok(event) if event.is_ours() => {
            handle(delay).await;
            StatusCode::OK
        }
        _ => StatusCode::BAD_REQUEST,
    }
}
