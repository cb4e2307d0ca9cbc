//! Hostile clients and misbehaving handlers do no harm.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait,
    event::SessionBegin,
    testing::{self, APP, Behaviour, Delivery, NOW, Recorder, error_code, verifier},
};

use crate::{
    doors::{Client, DOORS},
    examples::{EXAMPLES, Server, example},
    support::{OK, at},
};

const HOUR: Duration = Duration::from_secs(3600);

fn raw(delivery: &Delivery, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /desk/callback?{} HTTP/1.1\r\nHost: desk.test\r\nContent-Length: {length}\r\n\r\n{body}",
        delivery.query()
    )
}

fn good() -> String {
    let event = testing::event("SessionBegin");
    raw(&event.delivery(), &event.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_get_responses_in_order() {
    for &door in DOORS {
        let recorder = Recorder::default();
        let address = door.open(Webhook::new(verifier(), recorder.clone())).await;
        let mut client = Client::connect(address).await;
        let unknown = testing::event("New.Event");
        let foreign = unknown.delivery().foreign_app();
        let requests = [good(), raw(&unknown.delivery(), "{"), good(), raw(&foreign, ""), good()];
        client.write(requests.concat()).await;
        for code in [0, 40008, 0, 40301, 0] {
            let reply = client.read(true).await;
            assert!(reply.body.contains(&format!("\"ErrorCode\":{code}}}")), "{door:?}: {}", reply.body);
        }
        assert_eq!(recorder.calls().len(), 3, "{door:?}");
    }
}

/// Runs servers as separate processes, to measure their memory.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_refusals_on_one_connection_do_not_grow_memory() {
    for name in EXAMPLES {
        let mut command = example(name);
        command.env("DESK_TOKEN", "token");
        let server = Server::start(command).await;
        let mut client = server.client().await;
        let refused = raw(&Delivery::of("").unsigned(), "").repeat(100);
        let mut before = 0;
        for round in 0..1_000 {
            if round == 100 {
                before = server.resident();
            }
            client.write(&refused).await;
            for _ in 0..100 {
                assert_eq!(client.read(true).await.status, 401, "{name}");
            }
        }
        let grown = server.resident().saturating_sub(before);
        assert!(grown < 2 << 20, "{name} has grown by {grown} bytes");
        server.terminate("-TERM");
        assert!(server.end().await.0.success(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_at_once_are_handled_or_get_503() {
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let webhook = Webhook::new(verifier(), recorder.clone());
    let tasks: Vec<_> = (0..10_000)
        .map(|number| {
            let delivery = testing::event("SessionBegin").session(&format!("s-{number}")).delivery();
            let webhook = webhook.clone();
            tokio::spawn(async move { (number, error_code(webhook.handle(delivery.request()).await)) })
        })
        .collect();
    let mut accepted = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (number, 0) => accepted.push(format!("s-{number}")),
            (_, code) => assert_eq!(code, 50301),
        }
    }
    recorder.release();
    webhook.drained(crate::support::LONG).await;
    let mut handled: Vec<String> = recorder.events().into_iter().map(|event| event.session_id).collect();
    handled.sort();
    accepted.sort();
    assert_eq!((accepted.len(), recorder.finished()), (1024, 1024));
    assert_eq!(handled, accepted, "none is lost, none is handled twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_through_a_door_are_handled_or_get_503() {
    for &door in DOORS {
        let recorder = Recorder::default();
        recorder.set_behaviour(Behaviour::Stall);
        let webhook =
            Webhook::new(verifier(), recorder.clone()).max_in_flight(200).deadline(Duration::from_millis(50));
        let address = door.open(webhook.clone()).await;
        let clients: Vec<_> = (0..100)
            .map(|client| {
                tokio::spawn(async move {
                    let mut connection = Client::connect(address).await;
                    let mut accepted = Vec::new();
                    for request in 0..100 {
                        let session = format!("s-{client}-{request}");
                        let event = testing::event("SessionBegin").session(&session);
                        connection.write(raw(&event.delivery(), &event.to_string())).await;
                        match connection.read(true).await.status {
                            200 => accepted.push(session),
                            status => assert_eq!(status, 503, "{door:?}"),
                        }
                    }
                    accepted
                })
            })
            .collect();
        let mut accepted = Vec::new();
        for client in clients {
            accepted.extend(client.await.unwrap());
        }
        recorder.release();
        webhook.drained(crate::support::LONG).await;
        let mut handled: Vec<String> = recorder.events().into_iter().map(|event| event.session_id).collect();
        handled.sort();
        accepted.sort();
        assert_eq!((accepted.len(), recorder.finished()), (200, 200), "{door:?}");
        assert_eq!(handled, accepted, "{door:?}");
    }
}

/// In the head, before the body, in the body, while the handler runs, and before the response is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_disconnect_at_every_stage() {
    for &door in DOORS {
        let recorder = Recorder::default();
        recorder.set_behaviour(Behaviour::Stall);
        let webhook = Webhook::new(verifier(), recorder.clone()).read_timeout(HOUR).deadline(HOUR);
        let address = door.open(webhook.clone()).await;
        let request = good();
        let body = request.find("\r\n\r\n").unwrap() + 4;
        for length in [0, 1, 30, body - 1, body, body + 1, request.len() - 1] {
            let mut client = Client::connect(address).await;
            client.write(&request[..length]).await;
        }
        for count in 1..=20 {
            let mut client = Client::connect(address).await;
            client.write(&request).await;
            recorder.called(count).await;
        }
        recorder.release();
        webhook.drained(crate::support::LONG).await;
        recorder.set_behaviour(Behaviour::Succeed);
        for count in 21..=40 {
            let mut client = Client::connect(address).await;
            client.write(&request).await;
            drop(client);
            // The client may disconnect before or after its request is read.
            let mut next = Client::connect(address).await;
            next.write(&request).await;
            assert_eq!(next.read(true).await.body, OK, "{door:?} {count}");
        }
        webhook.drained(crate::support::LONG).await;
        assert_eq!(recorder.finished(), recorder.calls().len(), "{door:?}");
        assert!(recorder.calls().len() >= 40, "{door:?}");
    }
}

/// hyper's example has a timer for request heads, and actix-web limits them by default.
#[cfg(all(feature = "hyper", feature = "actix-web"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_head_times_out() {
    for name in ["hyper", "actix_web"] {
        let server = Server::start(example(name)).await;
        let mut client = server.client().await;
        client.write("POST /desk/callback?").await;
        assert!(client.is_closed().await, "{name}");
        server.terminate("-TERM");
        assert!(server.end().await.0.success(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_token_is_accepted_while_verifiers_are_replaced() {
    let verifier =
        |tokens: [&str; 2]| Verifier::signed(APP, tokens[0]).also_accept(tokens[1]).clock(|| at(NOW));
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(["steady", "a"]), recorder.clone());
    let done = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (webhook, done) = (webhook.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                for _ in 0..1000 {
                    let delivery = testing::event("SessionEnd").delivery().token("steady");
                    assert_eq!(error_code(webhook.handle(delivery.request()).await), 0);
                    let dead = testing::event("SessionEnd").delivery().token("never");
                    assert_eq!(error_code(webhook.handle(dead.request()).await), 40104);
                }
                done.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    let mut exchanged = 0;
    while done.load(Ordering::SeqCst) < 4 {
        let tokens = [["steady", "a"], ["b", "steady"]][exchanged % 2];
        webhook.set_verifier(verifier(tokens));
        exchanged += 1;
        tokio::task::yield_now().await;
    }
    for sender in senders {
        sender.await.unwrap();
    }
    assert!(exchanged > 10, "{exchanged}");
    assert_eq!(recorder.calls().len(), 4000);
}

/// It delays its caller and its thread, but not requests on other threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_delays_only_its_own_caller() {
    struct Blocking(std::sync::Mutex<mpsc::Receiver<()>>);

    #[async_trait]
    impl EventHandler for Blocking {
        async fn on_session_begin(&self, _: &Event, _: &SessionBegin) -> HandlerResult {
            self.0.lock().unwrap().recv()?;
            Ok(())
        }
    }

    let (release, released) = mpsc::channel();
    let webhook = Webhook::new(verifier(), Blocking(std::sync::Mutex::new(released)));
    let ask = |name: &str| {
        let (webhook, request) = (webhook.clone(), testing::event(name).delivery().request());
        async move { error_code(webhook.handle(request).await) }
    };
    let blocked = tokio::spawn(ask("SessionBegin"));
    while webhook.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask("SessionEnd").await, 0);
    assert!(!blocked.is_finished());
    release.send(()).unwrap();
    assert_eq!(blocked.await.unwrap(), 0, "its caller receives the result, even if it is late");
    webhook.drained(crate::support::LONG).await;
}

#[tokio::test(start_paused = true)]
async fn the_webhook_drains_once_handlers_end_whatever_they_do() {
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(), recorder.clone());
    let behaviours = [
        (Behaviour::Succeed, 0),
        (Behaviour::Fail, 20001),
        (Behaviour::FailPermanently, 20001),
        (Behaviour::Unavailable, 50302),
        (Behaviour::Panic, 20001),
        (Behaviour::PanicLater, 20001),
        (Behaviour::Stall, 0),
        (Behaviour::StallAndFail, 0),
    ];
    for (behaviour, code) in behaviours {
        recorder.set_behaviour(behaviour);
        let response = webhook.handle(testing::event("SessionEnd").delivery().request()).await;
        assert_eq!(error_code(response), code, "{behaviour:?}");
    }
    assert_eq!(webhook.in_flight(), 2);
    recorder.release();
    webhook.drained(crate::support::LONG).await;
    assert_eq!((recorder.finished(), recorder.late_failures().len()), (behaviours.len(), 1));
}
