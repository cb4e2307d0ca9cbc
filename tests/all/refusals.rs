//! The table of refusals in the documentation is the one in the code.

use std::{error::Error, fmt, time::Duration};

use tencent_desk_webhook::{HandlerError, Refusal, Verifier, Webhook};

use crate::support::{APP, Recorder, post, send};

const ALL: [Refusal; 20] = [
    Refusal::HandlerFailed,
    Refusal::QueryTooLong,
    Refusal::AmbiguousQuery,
    Refusal::MalformedApp,
    Refusal::ContentEncoding,
    Refusal::BodyBrokeOff,
    Refusal::EmptyBody,
    Refusal::NoCommand,
    Refusal::CommandConflict,
    Refusal::Unsigned,
    Refusal::MalformedTime,
    Refusal::WrongSignature,
    Refusal::Method,
    Refusal::BodyTooSlow,
    Refusal::BodyTooLarge,
    Refusal::Overloaded,
    Refusal::Unavailable,
    Refusal::DeadlinePassed,
    Refusal::NoRuntime,
    Refusal::Interrupted,
];

#[test]
fn each_reason_has_its_row() {
    let documented: Vec<String> = include_str!("../../src/error.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("/// | ")?.split_once(" | what").is_none().then_some(line))
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let name = cells.get(3)?.split('`').nth(1)?;
            Some(format!("{} {} {name}", cells[1], cells[2]))
        })
        .collect();
    let mut coded: Vec<String> = ALL
        .iter()
        .map(|refusal| format!("{} {} {refusal:?}", refusal.code(), refusal.status().as_u16()))
        // These carry data, so only the library can make them; other tests provoke them.
        .chain(
            [
                "40006 400 NotUtf8",
                "40008 400 NotJson",
                "40011 400 MissingField",
                "40103 401 Stale",
                "40301 403 ForeignApp",
            ]
            .map(str::to_owned),
        )
        .collect();
    coded.sort();
    assert_eq!(documented, coded);
}

#[test]
fn codes_are_distinct_and_tell_their_status() {
    for refusal in ALL {
        assert_eq!(refusal.code() / 100, u32::from(refusal.status().as_u16()), "{refusal:?}");
        assert_eq!(ALL.iter().filter(|other| other.code() == refusal.code()).count(), 1, "{refusal:?}");
        let said = refusal.to_string();
        assert!(!said.contains(['"', '\\']) && said.chars().all(|c| (' '..='~').contains(&c)), "{said}");
    }
}

#[tokio::test]
async fn the_sender_is_told_where_reading_stopped() {
    let webhook = Webhook::new(Verifier::dangerous_unsigned(APP), Recorder::default());
    let answer = send(&webhook, post(&format!("SdkAppid={APP}"), "{\"secret\":\n  oops")).await;
    assert!(answer.body.contains("line 2, column 3"), "{answer:?}");
    assert!(!answer.body.contains("secret") && !answer.body.contains("oops"), "{answer:?}");
}

#[test]
fn any_error_becomes_a_handlers_error() {
    fn by_question_mark(kind: u8) -> Result<(), HandlerError> {
        match kind {
            0 => "x".parse::<u8>().map(drop)?,
            1 => Err("text")?,
            2 => Err(String::from("text"))?,
            _ => Err(Box::<dyn std::error::Error + Send + Sync>::from("boxed"))?,
        }
        Ok(())
    }
    for kind in 0..4 {
        let error = by_question_mark(kind).unwrap_err();
        assert!(!error.is_permanent() && !error.is_unavailable() && !error.to_string().is_empty());
    }
    assert!(HandlerError::permanent("no").is_permanent());
    assert!(HandlerError::unavailable("no").is_unavailable());
    let error = HandlerError::from(std::io::Error::other("disk"));
    assert!(error.cause().downcast_ref::<std::io::Error>().is_some());
    assert!(format!("{error:?}").contains("disk"));
    let error = HandlerError::retry_after(Duration::from_secs(30)).caused_by("429");
    assert_eq!((error.retry_delay(), error.to_string()), (Some(Duration::from_secs(30)), "429".to_owned()));
    assert!(!error.is_permanent() && HandlerError::from("no").retry_delay().is_none());
}

/// An error and its source.
#[derive(Debug)]
struct Layer(&'static str, Option<Box<Layer>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Layer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

fn layers(texts: &[&'static str]) -> Layer {
    let (first, rest) = texts.split_first().unwrap();
    Layer(first, (!rest.is_empty()).then(|| Box::new(layers(rest))))
}

#[test]
fn an_error_is_shown_with_its_sources_and_each_text_once() {
    let error = HandlerError::from(layers(&["cannot close the ticket", "request failed", "timed out"]));
    assert_eq!(format!("{error}"), "cannot close the ticket");
    assert_eq!(format!("{error:#}"), "cannot close the ticket: request failed: timed out");
    let error = HandlerError::permanent(layers(&["request failed: timed out", "timed out", "os error 110"]));
    assert_eq!(format!("{error:#}"), "request failed: timed out: os error 110");
    let deep: Vec<&str> = (0..1000).map(|layer| ["odd", "even"][layer % 2]).collect();
    assert_eq!(format!("{:#}", HandlerError::from(layers(&deep))), "odd: even");
}
