//! Refusals and errors of handlers.

use std::{error::Error, fmt, time::Duration};

use tencent_desk_webhook::{HandlerError, Refusal, Verifier, Webhook};

use crate::support::{APP, Recorder, post, send};

#[test]
fn codes_are_distinct_and_contain_their_status() {
    let all: Vec<Refusal> = Refusal::all().collect();
    assert!(all.is_sorted_by_key(Refusal::code), "they are listed in the order of their codes");
    for refusal in &all {
        assert_eq!(refusal.code() / 100, u32::from(refusal.status().as_u16()), "{refusal:?}");
        assert_eq!(all.iter().filter(|other| other.code() == refusal.code()).count(), 1, "{refusal:?}");
        assert_eq!(refusal.reason(), snake_case(&format!("{refusal:?}")), "its name in logs and metrics");
        assert!(!refusal.remedy().is_empty(), "{refusal:?}");
        let text = refusal.to_string();
        assert!(!text.contains(['"', '\\']) && text.chars().all(|c| (' '..='~').contains(&c)), "{text}");
    }
}

/// The name of a variant, of its `Debug` text.
fn snake_case(variant: &str) -> String {
    let name = variant.split(' ').next().unwrap();
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[tokio::test]
async fn the_response_says_where_reading_stopped() {
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
