//! Shared by the examples: settings from the environment, a handler that prints, and the signal to stop.

use std::{env, error::Error, future::Future, io, net::ToSocketAddrs as _, time::Duration};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Verifier, async_trait,
    event::{Message, Satisfaction, SessionBegin, SessionEnd, Transfer},
    webhook::Token,
};
use tokio::time::sleep;

pub(crate) struct Settings {
    pub(crate) listen: String,
    pub(crate) verifier: Verifier,
    pub(crate) handler: Print,
}

impl Settings {
    pub(crate) fn from_env() -> Result<Self, Box<dyn Error>> {
        let app = number("DESK_SDK_APP_ID", 1_400_000_000)?;
        let listen = variable("DESK_LISTEN")?.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let verifier = match variable("DESK_TOKEN")? {
            Some(token) => {
                Verifier::signed(app, Token::new(token).map_err(|invalid| format!("DESK_TOKEN: {invalid}"))?)
            }
            None => unsigned(app, &listen)?,
        };
        let delay = Duration::from_millis(number("DESK_HANDLER_MS", 0)?);
        Ok(Self { listen, verifier, handler: Print { delay } })
    }
}

/// For local experiments. On any other address, a typo in the variable's name would admit anyone.
fn unsigned(app: u64, listen: &str) -> Result<Verifier, Box<dyn Error>> {
    let is_local = listen
        .to_socket_addrs()
        .is_ok_and(|mut addresses| addresses.all(|address| address.ip().to_canonical().is_loopback()));
    if !is_local && variable("DESK_UNSIGNED")?.as_deref() != Some("1") {
        return Err(format!(
            "DESK_TOKEN is not set, and DESK_LISTEN ({listen:?}) is not a loopback address: anyone could send events. \
             Set DESK_TOKEN, or DESK_UNSIGNED=1 if something else protects this address"
        )
        .into());
    }
    eprintln!(
        "warning: DESK_TOKEN is not set, so no signature is checked, and anyone who reaches {listen:?} can send events"
    );
    Ok(Verifier::dangerous_unsigned(app))
}

pub(crate) fn cannot_listen(listen: &str, error: io::Error) -> String {
    format!("cannot listen on DESK_LISTEN ({listen:?}): {error}")
}

pub(crate) fn number(name: &str, default: u64) -> Result<u64, Box<dyn Error>> {
    let Some(digits) = variable(name)? else { return Ok(default) };
    digits.parse().map_err(|_| format!("{name} is {digits:?}, and must be a number").into())
}

pub(crate) fn variable(name: &str) -> Result<Option<String>, Box<dyn Error>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8").into()),
    }
}

/// Escapes each character of the JSON that a terminal would interpret or hide, because customers can send any.
pub(crate) fn printable(json: &str) -> String {
    let mut printable = String::with_capacity(json.len());
    for c in json.chars() {
        if c == ' ' || c.escape_debug().count() == 1 || matches!(c, '"' | '\\' | '\'') {
            printable.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                printable.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    printable
}

/// Prints each event as one line of JSON, with the method that received it.
pub(crate) struct Print {
    delay: Duration,
}

impl Print {
    async fn print(&self, event: &Event, method: &str) -> HandlerResult {
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        let mut line = serde_json::to_value(event)?;
        line["Method"] = method.into();
        println!("{}", printable(&line.to_string()));
        Ok(())
    }
}

#[async_trait]
impl EventHandler for Print {
    async fn on_session_begin(&self, event: &Event, _: &SessionBegin) -> HandlerResult {
        self.print(event, "on_session_begin").await
    }

    async fn on_message(&self, event: &Event, _: &Message) -> HandlerResult {
        self.print(event, "on_message").await
    }

    async fn on_transfer(&self, event: &Event, _: &Transfer) -> HandlerResult {
        self.print(event, "on_transfer").await
    }

    async fn on_satisfaction(&self, event: &Event, _: &Satisfaction) -> HandlerResult {
        self.print(event, "on_satisfaction").await
    }

    async fn on_session_end(&self, event: &Event, _: &SessionEnd) -> HandlerResult {
        self.print(event, "on_session_end").await
    }

    async fn on_unknown(&self, event: &Event) -> HandlerResult {
        self.print(event, "on_unknown").await
    }
}

/// Completes at SIGTERM or Ctrl-C. It listens from the call on, not only from the first poll.
#[cfg(unix)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Completes at Ctrl-C.
#[cfg(windows)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

/// How long open connections may take once no new ones are accepted. Every request gets its response within 1.5 s.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// How long handlers may continue after that.
pub(crate) const DRAIN: Duration = Duration::from_secs(20);
