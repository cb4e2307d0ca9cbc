//! The same work, handwritten with actix-web.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{self, Data, Json, Query},
};

use super::{
    by_hand::{self, Answer, Event},
    handler::handle,
    serving::serve_actix,
};
use crate::Result;

pub(super) async fn serve(delay: Duration) -> Result<()> {
    serve_actix(move |app| {
        app.app_data(Data::new(delay)).route("/desk/callback", web::post().to(callback));
    })
    .await
}

async fn callback(
    delay: Data<Duration>,
    Query(query): Query<by_hand::Query>,
    Json(event): Json<Event>,
) -> HttpResponse {
    if !query.is_genuine() {
        return HttpResponse::Unauthorized().finish();
    }
    if !event.is_ours() {
        return HttpResponse::BadRequest().finish();
    }
    handle(**delay).await;
    HttpResponse::Ok().json(Answer::OK)
}
