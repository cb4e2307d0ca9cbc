//! The live page without a browser: what it serves, to whom, and what it keeps. `tests/browser` has the rest.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tencent_desk_webhook::{
    Middleware as _, Webhook,
    page::{Page, PageBody},
    testing::{self, Recorder, event},
};
use tokio::time::timeout;

fn get(accept: &str) -> Request<()> {
    Request::get("/desk/live").header("accept", accept).body(()).unwrap()
}

fn events(page: &Page) -> Response<PageBody> {
    page.handle(&get("text/event-stream"))
}

async fn chunk(response: &mut Response<PageBody>) -> String {
    let frame = response.body_mut().frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

fn records(chunk: &str) -> Vec<Value> {
    chunk
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|json| serde_json::from_str(json).unwrap())
        .collect()
}

fn webhook(page: &Page, recorder: &Recorder) -> Webhook<impl tencent_desk_webhook::Deliver + use<>> {
    let refusals = page.clone();
    Webhook::new(testing::verifier(), page.clone().around(recorder.clone()))
        .on_refusal(move |refused| refusals.record_refusal(refused))
}

#[tokio::test]
async fn what_passes_through_the_webhook_reaches_browsers() {
    let (page, recorder) = (Page::new(), Recorder::default());
    let webhook = webhook(&page, &recorder);
    let message = event("Human.UserSendMsg").session("s-1").text("<b>\n</b>");
    webhook.handle(message.delivery().request()).await;

    let mut early = events(&page);
    assert_eq!(early.headers()["content-type"], "text/event-stream");
    let first = chunk(&mut early).await;
    let record = &records(&first)[0];
    assert_eq!(record["event"], serde_json::to_value(&recorder.events()[0]).unwrap());
    assert_eq!(record["key"], recorder.events()[0].dedup_key().to_string());

    // While it watches.
    let mut waiting = pin!(chunk(&mut early));
    assert!(timeout(Duration::from_millis(20), &mut waiting).await.is_err());
    webhook.handle(message.delivery().wrong_signature().request()).await;
    let second = timeout(Duration::from_secs(30), waiting).await.unwrap();
    let refused = &records(&second)[0]["refused"];
    assert_eq!((&refused["status"], &refused["code"]), (&json!(401), &json!(40104)));
    assert!(refused["remedy"].as_str().unwrap().contains("token"));

    // After a cut connection it goes on where it was.
    let id = first.lines().next().unwrap().strip_prefix("id: ").unwrap();
    let again =
        Request::get("/").header("accept", "text/event-stream").header("last-event-id", id).body(()).unwrap();
    assert_eq!(chunk(&mut page.handle(&again)).await, second);
    assert_eq!(recorder.calls().len(), 1);
}

#[tokio::test]
async fn the_page_is_one_file_with_a_strict_policy_and_can_only_be_read() {
    let page = Page::new();
    let response = page.handle(&get("text/html,application/xhtml+xml"));
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"));
    assert_eq!(response.headers()["cache-control"], "no-store");
    let html = response.into_body().collect().await.unwrap().to_bytes();
    assert!(html.starts_with(b"<!doctype html>"));
    assert!(html.len() < 64 * 1024);

    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = Request::builder().method(method).body(()).unwrap();
        let response = page.handle(&request);
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    let head = page.handle(&Request::head("/").body(()).unwrap());
    assert!(head.body().is_end_stream());
}

/// The browser reads nothing while ten times as much happens as is kept.
#[tokio::test]
async fn a_slow_browser_delays_nothing_and_learns_what_it_missed() {
    let page = Page::new().events(100);
    let mut slow = events(&page);
    let event = event("Human.UserSendMsg").build();
    for _ in 0..1000 {
        page.record(&event);
    }
    let mut received = String::new();
    while records(&received).len() < 101 {
        received += &chunk(&mut slow).await;
    }
    assert!(received.starts_with("event: missed\ndata: 900\n\n"), "{}", &received[..60]);
}

#[tokio::test]
async fn browsers_beyond_the_limit_are_turned_away() {
    let page = Page::new();
    let mut watching: Vec<_> = (0..64).map(|_| events(&page)).collect();
    assert!(watching.iter().all(|response| response.status() == 200));
    assert_eq!(events(&page).status(), 503);
    watching.pop();
    assert_eq!(events(&page).status(), 200);
}

/// Mounted next to a webhook, over a socket, in each framework.
#[cfg(all(feature = "axum", feature = "actix-web", feature = "hyper"))]
#[tokio::test]
async fn every_framework_serves_it() {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    let page = Page::new();
    let mut addresses = Vec::new();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    addresses.push(listener.local_addr().unwrap());
    let app = axum::Router::new().route_service("/desk/live", page.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });

    let mounted = page.clone();
    let app = move || actix_web::App::new().route("/desk/live", actix_web::web::route().to(mounted.clone()));
    let server = actix_web::HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    addresses.push(server.addrs()[0]);
    tokio::spawn(server.run());

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    addresses.push(listener.local_addr().unwrap());
    let mounted = page.clone();
    tokio::spawn(async move {
        loop {
            let io = hyper_util::rt::TokioIo::new(listener.accept().await.unwrap().0);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, mounted.clone()));
        }
    });

    page.record(&event("SessionBegin").session("first").build());
    for address in addresses {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /desk/live HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n")
            .await
            .unwrap();
        let mut received = String::new();
        for session in ["first", "second"] {
            if session == "second" {
                page.record(&event("SessionBegin").session(session).build());
            }
            let wanted = format!("\"SessionId\":\"{session}\"");
            let read = async {
                while !received.contains(&wanted) {
                    let mut buffer = [0; 4096];
                    let length = stream.read(&mut buffer).await.unwrap();
                    assert!(length > 0, "{received}");
                    received += &String::from_utf8_lossy(&buffer[..length]);
                }
            };
            timeout(Duration::from_secs(30), read).await.unwrap();
        }
        assert!(received.to_lowercase().contains("content-type: text/event-stream"), "{received}");

        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /desk/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut html = Vec::new();
        stream.read_to_end(&mut html).await.unwrap();
        let html = Bytes::from(html);
        assert!(html.ends_with(b"</html>\n"));
        assert!(
            String::from_utf8_lossy(&html)
                .to_lowercase()
                .contains("content-security-policy: default-src 'none'")
        );
    }
}
