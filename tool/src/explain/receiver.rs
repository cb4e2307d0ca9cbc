//! The webhook that decides.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tencent_desk_webhook::{
    EventHandler, Refusal, Verifier, Webhook,
    testing::Delivery,
    webhook::{InvalidToken, Token},
};

use super::{Check, input::Asked};
use crate::{cli::Common, failure::Failure};

/// The settings of the receiver that is asked.
pub(super) struct Receiver {
    pub(super) app: u64,
    /// As they were given, the first one first.
    pub(super) tokens: Vec<String>,
    pub(super) window: Duration,
    pub(super) now: SystemTime,
}

struct Ignore;

impl EventHandler for Ignore {}

impl Receiver {
    pub(super) fn new(common: &Common, window: Duration, now: SystemTime) -> Result<Self, Failure> {
        let tokens = common.given_tokens().to_vec();
        if tokens.iter().any(|token| matches!(Token::new(token), Err(InvalidToken::Blank))) {
            return Err(Failure::Usage(format!("--token or DESK_TOKEN: {}", InvalidToken::Blank)));
        }
        Ok(Self { app: common.app(), tokens, window, now })
    }

    pub(super) fn checks_signatures(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// The answer to the request.
    pub(super) async fn judge(&self, asked: &Asked, body: &[u8]) -> Judgement {
        let Ok(uri) = Uri::try_from(asked.target.as_str()) else {
            return Judgement::by_the_server();
        };
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
        *request.uri_mut() = uri;
        *request.method_mut() = asked.method.clone();
        self.answer(self.tokens.iter().filter_map(|token| Token::new(token).ok()), request).await
    }

    /// The answer to this body under a query that is right in everything.
    pub(super) async fn judge_body(&self, command: Option<&str>, body: &[u8]) -> Judgement {
        let delivery = Delivery::of(body.to_vec()).app(self.app).token(STAND_IN).at(self.now);
        let delivery = match command {
            Some(command) if !command.is_empty() => delivery.command(command),
            _ => delivery.without_command(),
        };
        self.answer(Token::new(STAND_IN).into_iter(), delivery.request()).await
    }

    async fn answer(
        &self,
        mut tokens: impl Iterator<Item = Token>,
        request: Request<Full<Bytes>>,
    ) -> Judgement {
        let verifier = if self.checks_signatures() {
            let first = Verifier::signed(self.app, tokens.next().unwrap_or_else(|| Token::from(STAND_IN)));
            tokens.fold(first, Verifier::also_accept)
        } else {
            Verifier::dangerous_unsigned(self.app)
        };
        let now = self.now;
        let webhook = Webhook::new(verifier.window(self.window).clock(move || now), Ignore);
        Judgement::of(webhook.handle(request).await).await
    }
}

/// Signs what is only judged by its body, and takes the place of tokens that can sign nothing.
const STAND_IN: &str = "a token that no sender has: 5f0c9c7f1d0a4b7e";

/// What was answered.
pub(super) struct Judgement {
    pub(super) status: u16,
    pub(super) code: Option<i64>,
    pub(super) text: String,
    refusal: Option<Refusal>,
}

impl Judgement {
    async fn of(response: http::Response<Full<Bytes>>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        Self {
            status: parts.status.as_u16(),
            code: json["ErrorCode"].as_i64(),
            text: json["ErrorInfo"].as_str().unwrap_or_default().to_owned(),
            refusal: parts.extensions.get().copied(),
        }
    }

    /// No server passes the request on.
    fn by_the_server() -> Self {
        let text = "an HTTP server refuses the request line".to_owned();
        Self { status: 400, code: None, text, refusal: None }
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.status == 200 && self.code == Some(0)
    }

    pub(super) fn is_before_body(&self) -> bool {
        !self.is_accepted() && self.check() != "body"
    }

    /// The check that the refusal is about.
    fn check(&self) -> &'static str {
        match self.refusal {
            Some(Refusal::ForeignApp { .. } | Refusal::MalformedApp) => "app",
            Some(Refusal::MalformedTime | Refusal::Stale { .. }) => "time",
            Some(Refusal::Unsigned | Refusal::WrongSignature) => "signature",
            Some(Refusal::Method | Refusal::QueryTooLong | Refusal::AmbiguousQuery) | None => "query",
            // Such as a decision that an unsigned request asks for.
            Some(refusal) if refusal.status() == StatusCode::UNAUTHORIZED => "signature",
            Some(_) => "body",
        }
    }

    /// What was answered counts: the reasons are only found beside it.
    pub(super) fn overrule(&self, checks: &mut [Check]) {
        if self.is_accepted() {
            checks.iter_mut().for_each(|check| check.ok = true);
            return;
        }
        let name = self.check();
        if let Some(check) = checks.iter_mut().find(|check| check.name == name && check.ok) {
            check.ok = false;
            check.why = if check.name == "body" {
                self.text.clone()
            } else {
                format!("{}; {}", self.text, check.why)
            };
        }
    }
}
