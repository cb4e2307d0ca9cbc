//! Agents' statuses and steps of task flows: which are delivered one after another, and which are duplicates.

use serde_json::Value;
use tencent_desk_webhook::{
    Webhook,
    event::Category,
    inbox::Inbox,
    testing::{Behaviour, EventFixture, Recorder, agent_status, error_code, event, task_flow, verifier},
};

use crate::{memory::Memory, places::idle};

async fn receive(inbox: &Inbox, fixture: &EventFixture, request_id: &str) {
    let webhook = Webhook::new(verifier(), inbox.clone());
    let delivery = fixture.delivery().request_id(request_id);
    assert_eq!(error_code(webhook.handle(delivery.request()).await), 0);
}

/// The names and subjects of the events whose handlers run while each handler stalls.
async fn running_at_once(events: &[EventFixture]) -> Vec<(Category, Value)> {
    let inbox = Inbox::over(Memory::default());
    for (number, event) in events.iter().enumerate() {
        receive(&inbox, event, &format!("r-{number}")).await;
    }
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).start();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let running = recorder.events().into_iter().map(|event| {
        let json: Value = serde_json::from_str(event.raw()).unwrap();
        (event.category(), json["Number"].clone())
    });
    let mut running: Vec<_> = running.collect();
    running.sort_by_key(|(_, number)| number.as_u64());
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
    assert_eq!(recorder.calls().len(), events.len());
    running
}

fn numbered(events: impl IntoIterator<Item = EventFixture>) -> Vec<EventFixture> {
    events.into_iter().enumerate().map(|(number, event)| event.field("Number", number)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_statuses_of_one_agent_keep_their_order_and_those_of_others_do_not_wait() {
    let events = numbered([
        agent_status("ready"),
        agent_status("rest"),
        agent_status("ready").field("MemberId", "another@qq.com"),
        agent_status("ready").without("MemberId"),
    ]);
    let running = running_at_once(&events).await;
    assert_eq!(running, [0, 2, 3].map(|number| (Category::AgentStatus, number.into())));
}

#[tokio::test(start_paused = true)]
async fn a_task_flow_is_delivered_in_order_with_its_session() {
    let events = numbered([
        event("SessionBegin").session("s-1"),
        task_flow("TaskBegin", 1).session("s-1"),
        task_flow("TaskEnd", 2).session("s-1"),
        task_flow("TaskBegin", 1).session("s-2").field("ExecutionId", "e-2"),
        task_flow("TaskBegin", 1).without("SessionId").field("ExecutionId", "e-3"),
        task_flow("TaskBegin", 1).without("SessionId").field("ExecutionId", "e-4"),
    ]);
    let running = running_at_once(&events).await;
    let numbers: Vec<_> = running.iter().map(|(_, number)| number.as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_notification_is_stored_once() {
    let stored = async |fixture: &EventFixture, request_id: &str, others: &[(EventFixture, &str)]| {
        let inbox = Inbox::over(Memory::default());
        receive(&inbox, fixture, request_id).await;
        for (other, request_id) in others {
            receive(&inbox, other, request_id).await;
        }
        inbox.stats().await.unwrap().waiting
    };
    let step = task_flow("TaskBegin", 1);
    let repeats = [(step.clone(), "r-1"), (step.clone(), "r-2"), (step.clone().field("EventTime", 7), "r-3")];
    assert_eq!(stored(&step, "r-1", &repeats).await, 1, "execution and number identify a step");
    let others = [(task_flow("TaskBegin", 2), "r-1"), (step.clone().field("ExecutionId", "another"), "r-1")];
    assert_eq!(stored(&step, "r-1", &others).await, 3, "a RequestID alone does not");

    let status = agent_status("ready");
    let repeats = [(status.clone(), "r-2"), (status.clone().field("New", 1), "r-1")];
    assert_eq!(
        stored(&status, "r-1", &repeats).await,
        1,
        "an equal body, or an equal RequestID of the same change"
    );
    let others = [
        (status.clone().field("MemberId", "another@qq.com"), "r-1"),
        (status.clone().field("EventTime", 7), "r-1"),
        (agent_status("rest"), "r-2"),
    ];
    assert_eq!(stored(&status, "r-1", &others).await, 4);
}
