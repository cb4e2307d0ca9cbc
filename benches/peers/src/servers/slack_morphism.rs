//! slack-morphism's axum listener, set up as in its documentation: HMAC of body and time, and a typed event.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router, extract::State, http::StatusCode, routing::post};
use slack_morphism::prelude::*;

use super::{handler::handle, serving::serve_axum};
use crate::{Result, documented::TOKEN};

pub(super) async fn serve(delay: Duration) -> Result<()> {
    let client = Arc::new(SlackClient::new(SlackClientHyperConnector::new()?));
    let environment = Arc::new(SlackClientEventsListenerEnvironment::new(client));
    let listener = SlackEventsAxumListener::new(environment);
    let verified = listener
        .events_layer(&SlackSigningSecret::new(TOKEN.to_owned()))
        .with_event_extractor(SlackEventsExtractors::push_event());
    serve_axum(Router::new().route("/push", post(pushed).layer(verified)).with_state(delay)).await
}

async fn pushed(State(delay): State<Duration>, Extension(event): Extension<SlackPushEvent>) -> StatusCode {
    match event {
        SlackPushEvent::EventCallback(SlackPushEventCallback {
            event: SlackEventCallbackBody::Message(_),
            ..
        }) => {
            handle(delay).await;
            StatusCode::OK
        }
        // An unknown event would be less work.
        _ => StatusCode::BAD_REQUEST,
    }
}
