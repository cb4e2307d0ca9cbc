//! The webhook without a framework or a network: it handles a request made in memory. `cargo run --example no_framework`

use std::time::{Duration, UNIX_EPOCH};

use http::Request;
use http_body_util::BodyExt as _;
use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait, event::Message,
};

struct Support;

#[async_trait]
impl EventHandler for Support {
    async fn on_message(&self, event: &Event, message: &Message) -> HandlerResult {
        println!("{} by {:?}: {}", event.name, message.sender, message.text());
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The vendor's documented signature, with the clock set to its time.
    let verifier =
        Verifier::signed(1_400_000_000, "xxxxyyyy").clock(|| UNIX_EPOCH + Duration::from_secs(1_669_872_112));
    let request = Request::post(
        "/desk/callback?SdkAppid=1400000000&CallbackCommand=Desk.SessionEventNotify\
         &Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061&RequestTime=1669872112",
    )
    .body(include_str!("../tests/fixtures/desk_session_event_cn_doc.json").to_owned())?;

    let response = Webhook::new(verifier, Support).handle(request).await;
    println!("{}", response.status());
    println!("{}", String::from_utf8(response.into_body().collect().await?.to_bytes().into())?);
    Ok(())
}
