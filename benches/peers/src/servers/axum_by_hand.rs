//! The same work, handwritten with axum.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::post,
};

use super::{
    by_hand::{self, Answer, Event},
    handler::handle,
    serving::serve_axum,
};
use crate::Result;

pub(super) async fn serve(delay: Duration) -> Result<()> {
    serve_axum(Router::new().route("/desk/callback", post(callback)).with_state(delay)).await
}

async fn callback(
    State(delay): State<Duration>,
    Query(query): Query<by_hand::Query>,
    Json(event): Json<Event>,
) -> std::result::Result<Json<Answer>, StatusCode> {
    if !query.is_genuine() {
        return Err(StatusCode::UNAUTHORIZED);
    }
    if !event.is_ours() {
        return Err(StatusCode::BAD_REQUEST);
    }
    handle(delay).await;
    Ok(Json(Answer::OK))
}
