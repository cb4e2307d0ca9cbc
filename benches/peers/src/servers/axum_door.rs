//! The library in an axum app.

use std::time::Duration;

use axum::{Router, routing::any};

use super::{handler::webhook, serving::serve_axum};
use crate::Result;

pub(super) async fn serve(delay: Duration) -> Result<()> {
    serve_axum(Router::new().route("/desk/callback", any(webhook(delay)))).await
}
