use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Webhook, async_trait, event::SessionEnd, testing,
};

#[derive(Default)]
struct Closed(std::sync::Mutex<Vec<String>>);

#[async_trait]
impl EventHandler for Closed {
    async fn on_session_end(&self, event: &Event, _: &SessionEnd) -> HandlerResult {
        self.0.lock().unwrap().push(event.session_id.clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_closed_session_is_noted() {
    let webhook = Webhook::new(testing::verifier(), Closed::default());
    let delivery = testing::event("SessionAgentEnd").session("s-1").delivery();
    assert_eq!(webhook.handle(delivery.request()).await.status(), 200);
    assert_eq!(*webhook.handler().0.lock().unwrap(), ["s-1"]);
    assert_eq!(webhook.handle(delivery.wrong_signature().request()).await.status(), 401);
}
