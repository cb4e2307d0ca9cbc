//! The guide's configurations of access logs do not log queries. The frameworks' defaults do, and so let anyone who reads the log
//! send events.

#![allow(clippy::unwrap_used)]

use std::{
    io,
    sync::{Arc, Mutex},
};

use tencent_desk_webhook::{Webhook, testing};

const GUIDE: &str = include_str!("../../../docs/watching.md");

/// The log's content.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn has_secrets(lines: &str) -> bool {
    lines.contains("Sign=") || lines.contains("RequestTime=")
}

#[tokio::test]
async fn tower_https_trace_layer() {
    use axum::{Router, extract::Request, routing::any};
    use tower::ServiceExt as _;
    use tower_http::trace::TraceLayer;

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // One webhook for each, because a webhook logs a reason once a second.
    let webhook = || Webhook::new(testing::verifier(), testing::Recorder::default());
    let refused =
        || testing::event("SessionBegin").delivery().wrong_signature().request().map(axum::body::Body::new);

    let app = Router::new().route("/desk/callback", any(webhook())).layer(TraceLayer::new_for_http());
    assert_eq!(app.oneshot(refused()).await.unwrap().status(), 401);
    assert!(has_secrets(&lines.take()), "the default logs the query, also around our own line");

    let shown = [
        "TraceLayer::new_for_http().make_span_with(|request: &axum::extract::Request| {",
        "tracing::info_span!(\"request\", method = %request.method(), path = request.uri().path())",
    ];
    assert!(shown.iter().all(|line| GUIDE.contains(line)));
    let trace = TraceLayer::new_for_http().make_span_with(|request: &Request| {
        tracing::info_span!("request", method = %request.method(), path = request.uri().path())
    });
    let app = Router::new().route("/desk/callback", any(webhook())).layer(trace);
    assert_eq!(app.oneshot(refused()).await.unwrap().status(), 401);
    let logged = lines.take();
    assert!(logged.contains("/desk/callback") && logged.contains("wrong_signature"), "{logged}");
    assert!(!has_secrets(&logged), "{logged}");
}

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().extend(format!("{}\n", record.args()).into_bytes());
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn actix_webs_logger() {
    use actix_web::{App, middleware::Logger, test, web};

    const FORMAT: &str = "%t %a %U %s %b %D";
    assert!(GUIDE.contains(&format!("Logger::new(\"{FORMAT}\")")));
    let lines = Lines::default();
    log::set_boxed_logger(Box::new(lines.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let webhook = Webhook::new(testing::verifier(), testing::Recorder::default());
    for (logger, logs_queries) in [(Logger::default(), true), (Logger::new(FORMAT), false)] {
        let app = App::new().wrap(logger).route("/desk/callback", web::route().to(webhook.clone()));
        let app = test::init_service(app).await;
        let uri = format!("/desk/callback?{}", testing::event("SessionBegin").delivery().query());
        let request = test::TestRequest::post().uri(&uri).to_request();
        let response = test::call_service(&app, request).await;
        assert_eq!(response.status(), 200);
        // The line is written after the response has been sent.
        test::read_body(response).await;
        let logged = lines.take();
        assert!(logged.contains("/desk/callback"), "{logged}");
        assert_eq!(has_secrets(&logged), logs_queries, "{logged}");
    }
}
