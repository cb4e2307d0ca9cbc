//! Clients that disconnect, stall, announce a body or expect `100 Continue`; and the ways to mount a webhook.

use std::{net::SocketAddr, time::Duration};

use tencent_desk_webhook::{EventHandler, Webhook, testing::Behaviour};

use crate::{
    doors::{Client, DOORS, Door},
    support::{OK, Recorder, event_json, signed, verifier},
};

const HOUR: Duration = Duration::from_secs(3600);

fn head(query: &str, extra: &str) -> String {
    format!("POST /desk/callback?{query} HTTP/1.1\r\nHost: desk.test\r\n{extra}\r\n")
}

fn good(name: &str) -> String {
    let body = event_json(name).to_string();
    format!("{}{body}", head(&signed(), &format!("Content-Length: {}\r\n", body.len())))
}

async fn check_healthy(address: SocketAddr, door: Door) {
    let mut healthy = Client::connect(address).await;
    healthy.write(good("SessionEnd")).await;
    assert_eq!(healthy.read(true).await.body, OK, "{door:?}");
}

fn stalling() -> Recorder {
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    recorder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announced_body_that_is_refused_gets_its_response_at_once() {
    for &door in DOORS {
        let address =
            door.open(Webhook::new(verifier(), Recorder::default()).read_timeout(HOUR).deadline(HOUR)).await;
        for (query, status) in
            [(String::new(), 403), (signed().replace("Sign=1", "Sign=2"), 401), (signed(), 413)]
        {
            let mut client = Client::connect(address).await;
            client.write(head(&query, "Content-Length: 1073741824\r\n")).await;
            let reply = client.read(true).await;
            assert_eq!((reply.status, reply.closes()), (status, true), "{door:?}");
            assert!(client.sees_close().await, "{door:?}");
        }
        // A server that read all of these chunks would not close the connection.
        let mut client = Client::connect(address).await;
        client.write(head("", "Transfer-Encoding: chunked\r\n")).await;
        client.write("5\r\nchunk\r\n").await;
        let reply = client.read(true).await;
        assert_eq!((reply.status, reply.closes()), (403, true), "{door:?}");
        assert!(client.sees_close().await, "{door:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_expects_100_gets_its_refusal_first() {
    for &door in DOORS {
        let address =
            door.open(Webhook::new(verifier(), Recorder::default()).read_timeout(HOUR).deadline(HOUR)).await;
        let expecting = "Content-Length: 1073741824\r\nExpect: 100-continue\r\n";
        let mut client = Client::connect(address).await;
        client.write(head("", expecting)).await;
        let mut reply = client.read(true).await;
        // actix-web responds to `Expect` itself, before any handler runs.
        #[cfg(feature = "actix-web")]
        if door == Door::ActixWeb {
            assert_eq!(reply.status, 100);
            reply = client.read(true).await;
        }
        assert_eq!((reply.status, reply.closes()), (403, true), "{door:?}");

        let body = event_json("SessionBegin").to_string();
        let mut client = Client::connect(address).await;
        let expecting = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
        client.write(head(&signed(), &expecting)).await;
        assert_eq!(client.read(false).await.status, 100, "{door:?}");
        client.write(body).await;
        assert_eq!(client.read(true).await.body, OK, "{door:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_clients_delay_no_other_client() {
    for &door in DOORS {
        let address =
            door.open(Webhook::new(verifier(), Recorder::default()).read_timeout(HOUR).deadline(HOUR)).await;
        let mut stalled = Vec::new();
        for n in 0..300 {
            let mut client = Client::connect(address).await;
            client.write(head(&signed(), "Content-Length: 1000\r\n")).await;
            client.write(if n % 2 == 0 { "{" } else { "" }).await;
            stalled.push(client);
        }
        check_healthy(address, door).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_body_is_answered_408_and_ends_its_connection() {
    for &door in DOORS {
        let webhook = Webhook::new(verifier(), Recorder::default())
            .read_timeout(Duration::from_millis(20))
            .max_in_flight(1);
        let address = door.open(webhook.clone()).await;
        for extra in ["Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"] {
            let mut client = Client::connect(address).await;
            client.write(head(&signed(), extra)).await;
            let reply = client.read(true).await;
            assert_eq!((reply.status, reply.closes()), (408, true), "{door:?}");
            assert!(client.sees_close().await, "{door:?}");
            assert_eq!(webhook.in_flight(), 0, "{door:?}");
            check_healthy(address, door).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_disconnects_in_its_body_leaves_nothing_behind() {
    for &door in DOORS {
        let recorder = Recorder::default();
        let address =
            door.open(Webhook::new(verifier(), recorder.clone()).read_timeout(HOUR).deadline(HOUR)).await;
        for sent in ["", "{\"SessionId\":"] {
            let mut client = Client::connect(address).await;
            client.write(head(&signed(), "Content-Length: 1000\r\n")).await;
            client.write(sent).await;
        }
        check_healthy(address, door).await;
        assert_eq!(recorder.calls().len(), 1, "{door:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_disconnects_stops_no_handler() {
    for &door in DOORS {
        let recorder = stalling();
        let webhook = Webhook::new(verifier(), recorder.clone());
        let address = door.open(webhook.clone()).await;
        for count in 1..=3 {
            let mut client = Client::connect(address).await;
            client.write(good("New.Event")).await;
            recorder.called(count).await;
        }
        recorder.release();
        webhook.drained(crate::support::LONG).await;
        assert_eq!(recorder.finished(), 3, "{door:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_affects_only_its_own_event() {
    for &door in DOORS {
        let recorder = Recorder::default();
        let webhook = Webhook::new(verifier(), recorder.clone()).deadline(HOUR);
        let address = door.open(webhook.clone()).await;
        let mut client = Client::connect(address).await;
        for (behaviour, code) in
            [(Behaviour::Panic, "20001"), (Behaviour::PanicLater, "20001"), (Behaviour::Succeed, ":0}")]
        {
            recorder.set_behaviour(behaviour);
            client.write(good("SessionEnd")).await;
            let reply = client.read(true).await;
            assert_eq!(reply.status, 200, "{door:?}");
            assert!(reply.body.contains(code), "{behaviour:?} through {door:?}: {}", reply.body);
        }
        assert_eq!(webhook.in_flight(), 0, "{door:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_deadline_the_sender_gets_its_response_and_the_connection_stays_open() {
    for &door in DOORS {
        let recorder = stalling();
        let webhook =
            Webhook::new(verifier(), recorder.clone()).deadline(Duration::from_millis(20)).max_in_flight(2);
        let address = door.open(webhook.clone()).await;
        let mut client = Client::connect(address).await;
        for status in [200, 200, 503, 503] {
            client.write(good("New.Event")).await;
            let reply = client.read(true).await;
            assert_eq!((reply.status, reply.closes()), (status, false), "{door:?}: {}", reply.body);
        }
        recorder.release();
        webhook.drained(crate::support::LONG).await;
        assert_eq!(recorder.finished(), 2, "{door:?}");
    }
}

#[cfg(feature = "actix-web")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_outlives_the_actix_worker_that_took_its_request() {
    use actix_web::{App, HttpServer, web};

    let recorder = stalling();
    let webhook = Webhook::new(verifier(), recorder.clone());
    let mounted = webhook.clone();
    let app = move || App::new().route("/desk/callback", web::post().to(mounted.clone()));
    let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let running = server.handle();
    let server = tokio::spawn(server);

    let mut client = Client::connect(address).await;
    client.write(good("New.Event")).await;
    recorder.called(1).await;
    running.stop(false).await;
    server.await.unwrap().unwrap();
    assert_eq!(recorder.finished(), 0);
    recorder.release();
    webhook.drained(crate::support::LONG).await;
    assert_eq!(recorder.finished(), 1);
}

/// actix-web's types for HTTP versions are converted, including versions that its server does not use here.
#[cfg(feature = "actix-web")]
#[tokio::test]
async fn the_actix_door_closes_connections_of_http_1_only() {
    use actix_web::{FromRequest as _, Handler as _, http::Version, test::TestRequest, web::Payload};

    let webhook = Webhook::new(verifier(), Recorder::default());
    for (version, closes) in [
        (Version::HTTP_09, true),
        (Version::HTTP_10, true),
        (Version::HTTP_11, true),
        (Version::HTTP_2, false),
        (Version::HTTP_3, false),
    ] {
        let request = TestRequest::post().uri("/").version(version).set_payload("{}");
        let (request, mut payload) = request.to_http_parts();
        let payload = Payload::from_request(&request, &mut payload).await.unwrap();
        let response = webhook.call((request, payload)).await;
        assert_eq!(response.status().as_u16(), 403, "{version:?}");
        assert_eq!(!response.head().keep_alive(), closes, "{version:?}");
    }
}

/// `Webhook` is a handler and a service wherever axum accepts one, with a router state and with a handler chosen at run time.
#[cfg(feature = "axum")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_mounts_it_in_every_way() {
    use axum::{
        Router,
        routing::{any, post, post_service},
    };

    let recorder = Recorder::default();
    let handler: std::sync::Arc<dyn EventHandler> = std::sync::Arc::new(recorder.clone());
    let webhook = Webhook::new(verifier(), handler);
    let concrete = Webhook::new(verifier(), recorder.clone());
    let app: Router = Router::<String>::new()
        .route("/post", post(webhook.clone()))
        .route("/any", any(concrete))
        .route("/service", post_service(webhook.clone()))
        .route_service("/route-service", webhook.clone())
        .nest_service("/nest", webhook.clone())
        .fallback(webhook)
        .with_state("state".to_owned());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let mut client = Client::connect(address).await;
    for path in ["/post", "/any", "/service", "/route-service", "/nest", "/nest/deep", "/anything"] {
        client.write(good("SessionBegin").replacen("/desk/callback", path, 1)).await;
        assert_eq!(client.read(true).await.body, OK, "{path}");
    }
    assert_eq!(recorder.calls().len(), 7);
}
