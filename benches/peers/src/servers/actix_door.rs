//! The library in an actix-web app. As in the README, the webhook belongs to the main thread's runtime: handlers that wait continue
//! there and not on the worker's thread.

use std::time::Duration;

use actix_web::web;

use super::{handler::webhook, serving::serve_actix};
use crate::Result;

pub(super) async fn serve(delay: Duration) -> Result<()> {
    let webhook = webhook(delay);
    serve_actix(move |app| {
        app.route("/desk/callback", web::route().to(webhook.clone()));
    })
    .await
}
