//! Session events and decisions on one URL. `cargo run --example decisions --features axum`

mod common;

use std::{error::Error, time::Duration};

use axum::{Router, routing::any, serve::ListenerExt as _};
use serde_json::{Map, Value};
use tencent_desk_webhook::{
    Event, Webhook, async_trait,
    decision::{
        AiProvider, AssignAgent, Assignment, Contact, ContactUser, Decision, Invocation, Invoked, Request,
        Responder,
    },
    event::Message,
};
use tokio::{net::TcpListener, time::sleep};

use crate::common::{DRAIN, GRACE, Settings, cannot_listen, number, printable, stop_signal};

/// Decides by rules that a test can check, and prints each request.
struct Rules {
    delay: Duration,
}

impl Rules {
    /// Prints the request as one line of JSON. A user whose name starts with `panic-` makes it panic.
    async fn begin(&self, asked: Value, method: &str, user: Option<&str>) {
        let mut line = asked;
        line["Method"] = method.into();
        println!("{}", printable(&line.to_string()));
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        assert!(!user.is_some_and(|user| user.starts_with("panic-")), "the user's name starts with panic-");
    }
}

#[async_trait]
impl Responder for Rules {
    async fn answer_message(&self, event: &Event, message: &Message) -> Decision<AiProvider> {
        self.begin(serde_json::to_value(event)?, "answer_message", event.client_user_id.as_deref()).await;
        let wants_agent = message.text().starts_with("#human");
        Ok(Some(if wants_agent { AiProvider::Own } else { AiProvider::Desk }))
    }

    async fn assign_agent(&self, request: &Request, asked: &AssignAgent) -> Decision<Assignment> {
        let user = asked.client_user_id.as_deref();
        self.begin(serde_json::to_value(request)?, "assign_agent", user).await;
        let is_walk_in = user.is_some_and(|user| user.starts_with("walk-in-"));
        let assignment = Assignment::to_group(6521).or_agents(["svc1@example.com", "svc2@example.com"]);
        Ok((!is_walk_in).then_some(assignment))
    }

    async fn invoke(&self, request: &Request, invocation: &Invocation) -> Decision<Invoked> {
        self.begin(serde_json::to_value(request)?, "invoke", invocation.client_user_id()).await;
        if invocation.variable("fail").is_some() {
            return Ok(Some(Invoked::failed(7, "the variable `fail` is set")));
        }
        let keys = invocation.variables.iter().filter(|(name, _)| name.ends_with("Key"));
        Ok(Some(Invoked::done(keys.map(|(name, value)| (name.as_str(), value.to_uppercase())))))
    }

    async fn contact_user(&self, request: &Request, asked: &ContactUser) -> Decision<Contact> {
        let user = asked.client_user_id.as_deref();
        self.begin(serde_json::to_value(request)?, "contact_user", user).await;
        let is_refused = user.is_some_and(|user| user.starts_with("dnd-"));
        Ok(Some(if is_refused { Contact::refuse(120001, "do not disturb") } else { Contact::allow() }))
    }

    async fn other(&self, request: &Request) -> Decision<Map<String, Value>> {
        let mut fields = request.fields();
        let user = fields.get("ClientUserId").and_then(Value::as_str).map(str::to_owned);
        self.begin(serde_json::to_value(request)?, "other", user.as_deref()).await;
        let is_echo = request.command.eq_ignore_ascii_case("Test.Echo");
        let said = fields.remove("Say").unwrap_or_default();
        Ok(is_echo.then(|| Map::from_iter([("Echo".to_owned(), said)])))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let rules = Rules { delay: Duration::from_millis(number("DESK_DECISION_MS", 0)?) };
    let webhook = Webhook::new(settings.verifier, settings.handler).responder(rules);
    let app = Router::new().route("/desk/callback", any(webhook.clone()));

    let (stop, last_call) = (stop_signal()?, stop_signal()?);
    let listener =
        TcpListener::bind(&settings.listen).await.map_err(|error| cannot_listen(&settings.listen, error))?;
    println!("listening on http://{}/desk/callback", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });

    tokio::select! {
        ended = axum::serve(listener, app).with_graceful_shutdown(stop).into_future() => ended?,
        // Without this limit, the server would wait indefinitely for a client that stalls in a request.
        () = async { last_call.await; sleep(GRACE).await } => {}
    }
    if !webhook.drained(DRAIN).await {
        eprintln!("{} handlers were still running", webhook.in_flight());
    }
    Ok(())
}
