//! Which deliveries are accepted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Method, Request};
use sha2::{Digest as _, Sha256};
use tencent_desk_webhook::{Verifier, Webhook, webhook::Token};

use crate::support::{
    APP, Answer, COMMAND, NOW, Recorder, SIGN, TOKEN, at, event_json, post, send, signed, verifier,
};

fn sign(token: &str, time: u64) -> String {
    Sha256::digest(format!("{token}{time}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn query(app: u64, token: &str, time: u64) -> String {
    format!("SdkAppid={app}&CallbackCommand={COMMAND}&Sign={}&RequestTime={time}", sign(token, time))
}

async fn ask(verifier: Verifier, query: &str) -> Answer {
    send(&Webhook::new(verifier, Recorder::default()), post(query, event_json("SessionBegin").to_string()))
        .await
}

#[tokio::test]
async fn the_documented_vector_is_accepted() {
    assert_eq!(sign(TOKEN, NOW), SIGN);
    assert!(ask(verifier(), &signed()).await.is_ok());
}

/// The vendor's vectors, URLs and acknowledgement, as documented.
#[tokio::test]
async fn the_documented_vectors_urls_and_acknowledgement_hold() {
    let json =
        |name: &str| -> serde_json::Value { serde_json::from_str(&crate::support::fixture(name)).unwrap() };
    for vector in json("sign_test_vectors").as_array().unwrap() {
        let right = vector["Sign"].as_str().or(vector["Sign_computed_here"].as_str()).unwrap();
        let time = vector["RequestTime"].as_str().unwrap().parse().unwrap();
        assert_eq!(sign(vector["Token"].as_str().unwrap(), time), right);
    }
    for (form, url) in json("desk_url_forms").as_object().unwrap() {
        let filled = url
            .as_str()
            .unwrap()
            .replace("$SDKAppID", &APP.to_string())
            .replace("$CallbackCommand", COMMAND)
            .replace("$ClientIP", "127.0.0.1")
            .replace("$OptPlatform", "RESTAPI")
            .replace("$RequestID", "r-1");
        if let Some((_, query)) = filled.split_once("SdkAppid=") {
            let query =
                format!("SdkAppid={}", query.replace("888888", &APP.to_string()).replace(" HTTP/1.1", ""));
            let query = query.replace("Group.CallbackAfterNewMemberJoin", COMMAND);
            assert_eq!(ask(verifier(), &query).await.code, 40101, "{form}");
            assert!(
                ask(verifier(), &format!("{query}&Sign={SIGN}&RequestTime={NOW}")).await.is_ok(),
                "{form}"
            );
        }
    }
    let given: serde_json::Value = serde_json::from_str(&ask(verifier(), &signed()).await.body).unwrap();
    assert_eq!(given, json("desk_ack_response"));
}

#[tokio::test]
async fn any_other_signature_is_refused() {
    let mut wrong = vec![
        (format!("Sign={SIGN}"), "Sign=".to_owned(), 40101),
        (format!("&Sign={SIGN}"), String::new(), 40101),
        (format!("&RequestTime={NOW}"), String::new(), 40101),
        (format!("RequestTime={NOW}"), "RequestTime=".to_owned(), 40101),
        (SIGN.to_owned(), "x".repeat(64), 40104),
        (SIGN.to_owned(), SIGN[..63].to_owned(), 40104),
        (SIGN.to_owned(), format!("{SIGN}0"), 40104),
        (SIGN.to_owned(), format!("+{}", &SIGN[1..]), 40104),
        (SIGN.to_owned(), "e".to_owned() + "é".repeat(31).as_str(), 40104),
        (SIGN.to_owned(), sign("xxxyyy", NOW), 40104),
        (format!("RequestTime={NOW}"), format!("RequestTime={}", NOW + 1), 40104),
        (format!("RequestTime={NOW}"), format!("RequestTime=0{NOW}"), 40104),
    ];
    for digit in 0..64 {
        let mut flipped = SIGN.to_owned();
        let other = if &SIGN[digit..=digit] == "0" { "1" } else { "0" };
        flipped.replace_range(digit..=digit, other);
        wrong.push((SIGN.to_owned(), flipped, 40104));
    }
    for malformed in ["abc", "1669872112.0", "-1669872112", "166987211212", "0x6388", "%2B669872112"] {
        wrong.push((format!("RequestTime={NOW}"), format!("RequestTime={malformed}"), 40102));
    }
    for (right, wrong, code) in wrong {
        let query: String = percent_encode(&signed().replace(&right, &wrong));
        let answer = ask(verifier(), &query).await;
        assert_eq!((answer.status, answer.code), (401, code), "{query}");
        assert!(!answer.body.contains(&SIGN[..8]) && !answer.body.contains(TOKEN), "{}", answer.body);
    }
}

fn percent_encode(query: &str) -> String {
    query.chars().map(|c| if c.is_ascii() { c.to_string() } else { "%C3%A9".to_owned() }).collect()
}

#[tokio::test]
async fn the_window_is_inclusive_both_ways() {
    for (distance, fresh) in [(-61, false), (-60, true), (0, true), (60, true), (61, false)] {
        let now = NOW.saturating_add_signed(distance);
        let answer = ask(Verifier::signed(APP, TOKEN).clock(move || at(now)), &signed()).await;
        assert_eq!(answer.is_ok(), fresh, "{distance}: {answer:?}");
        if !fresh {
            assert_eq!((answer.status, answer.code), (401, 40103));
        }
    }
    let wide = Verifier::signed(APP, TOKEN).window(Duration::from_secs(3600)).clock(|| at(NOW + 3600));
    assert!(ask(wide, &signed()).await.is_ok());
}

#[tokio::test]
async fn the_systems_clock_is_the_default() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(ask(Verifier::signed(APP, TOKEN), &query(APP, TOKEN, now)).await.is_ok());
    assert_eq!(ask(Verifier::signed(APP, TOKEN), &signed()).await.code, 40103);
}

#[tokio::test]
async fn a_foreign_or_missing_app_is_refused() {
    for query in [
        query(1_400_000_001, TOKEN, NOW),
        signed().replace("SdkAppid=1400000000&", ""),
        "SdkAppid=7".to_owned(),
        String::new(),
    ] {
        let answer = ask(verifier(), &query).await;
        assert_eq!((answer.status, answer.code), (403, 40301), "{query}");
    }
}

#[tokio::test]
async fn each_app_has_its_own_tokens() {
    let verifier =
        || verifier().also_accept("old").app(7, "seven").also_accept("old seven").app(APP, "third");
    for (app, token, accepted) in [
        (APP, TOKEN, true),
        (APP, "old", true),
        (APP, "third", true),
        (APP, "seven", false),
        (7, "seven", true),
        (7, "old seven", true),
        (7, TOKEN, false),
        (7, "third", false),
    ] {
        let answer = ask(verifier(), &query(app, token, NOW)).await;
        assert_eq!(answer.is_ok(), accepted, "{app} {token}: {answer:?}");
    }
}

#[tokio::test]
async fn unsigned_mode_checks_the_app_and_nothing_else() {
    let unsigned = || Verifier::dangerous_unsigned(APP);
    for query in ["SdkAppid=1400000000", "SdkAppid=1400000000&Sign=00&RequestTime=x", &signed()] {
        assert!(ask(unsigned(), query).await.is_ok(), "{query}");
    }
    assert_eq!(ask(unsigned(), "SdkAppid=7").await.code, 40301);
    assert_eq!(ask(unsigned(), "").await.code, 40301);
}

#[tokio::test]
async fn the_verifier_can_be_replaced_while_running() {
    let webhook = Webhook::new(verifier(), Recorder::default());
    let clone = webhook.clone();
    let body = event_json("SessionBegin").to_string();
    webhook.set_verifier(Verifier::signed(APP, "new").clock(|| at(NOW)));
    assert_eq!(send(&clone, post(&signed(), body.clone())).await.code, 40104);
    assert!(send(&clone, post(&query(APP, "new", NOW), body)).await.is_ok());
}

#[tokio::test]
async fn the_consoles_signed_url_check_is_always_acknowledged() {
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(), recorder.clone());
    let probe = format!("Sign={SIGN}&RequestTime={NOW}");
    for app in [String::new(), format!("SdkAppid={APP}&")] {
        for command in
            ["", "CallbackCommand=&", "CallbackCommand=Test&", &format!("CallbackCommand={COMMAND}&")]
        {
            for body in ["", " \r\n", "{}", "\u{feff}{ \n}"] {
                let query = format!("{app}{command}{probe}");
                assert!(send(&webhook, post(&query, body)).await.is_ok(), "{query} {body:?}");
            }
        }
    }
    let event = event_json("SessionBegin").to_string();
    assert_eq!(send(&webhook, post(&probe, event.clone())).await.code, 40301);
    assert_eq!(send(&webhook, post(&format!("Sign={SIGN}"), "")).await.code, 40301);
    assert_eq!(send(&webhook, post("", "")).await.code, 40301);
    assert_eq!(send(&webhook, post(&format!("SdkAppid={APP}"), "")).await.code, 40101);
    let unsigned = Webhook::new(Verifier::dangerous_unsigned(APP), recorder.clone());
    for query in [String::new(), format!("SdkAppid={APP}"), probe.clone()] {
        assert!(send(&unsigned, post(&query, "")).await.is_ok(), "{query}");
    }
    assert_eq!(
        send(&unsigned, post(&format!("SdkAppid={APP}&CallbackCommand={COMMAND}"), "")).await.code,
        40007
    );
    assert_eq!(
        send(&unsigned, post(&format!("SdkAppid={APP}&CallbackCommand={COMMAND}"), "{}")).await.code,
        40011
    );
    assert_eq!(send(&unsigned, post(&format!("SdkAppid={APP}"), "{}")).await.code, 40009);
    assert_eq!(recorder.calls().len(), 0);
}

#[tokio::test]
async fn only_post_is_served() {
    let webhook = Webhook::new(verifier(), Recorder::default());
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let request =
            Request::builder().method(&method).uri(format!("/?{}", signed())).body(String::new()).unwrap();
        let response = webhook.handle(request).await;
        assert_eq!(response.headers()["allow"], "POST");
        assert_eq!(crate::support::answer(response).await.code, 40501, "{method}");
    }
}

#[test]
fn a_token_with_white_space_around_it_is_an_error_at_set_up() {
    for surrounded in ["token\n", " token", "token\r\n", "\u{a0}token"] {
        let error = Token::new(surrounded).unwrap_err().to_string();
        assert!(error.contains("white space") && !error.contains("token\n"), "{error}");
        assert!(std::panic::catch_unwind(|| Verifier::signed(APP, surrounded)).is_err());
    }
    assert!(Token::new("inner space").is_ok());
}

#[test]
fn secrets_are_not_shown() {
    let token = Token::new("a-very-secret-token").unwrap();
    let verifier = Verifier::signed(APP, token.clone()).also_accept("another-secret-token");
    let webhook = Webhook::new(verifier.clone(), Recorder::default());
    for shown in
        [format!("{token:?}"), format!("{verifier:?}"), format!("{verifier:#?}"), format!("{webhook:?}")]
    {
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn a_blank_token_is_an_error_at_set_up() {
    for blank in ["", " ", "\n\t"] {
        assert!(Token::new(blank).unwrap_err().to_string().contains("blank"));
        assert!(std::panic::catch_unwind(|| Verifier::signed(APP, blank)).is_err());
        assert!(std::panic::catch_unwind(|| Verifier::signed(APP, TOKEN).also_accept(blank)).is_err());
        assert!(std::panic::catch_unwind(|| Verifier::signed(APP, TOKEN).app(7, blank.to_owned())).is_err());
    }
    assert!(std::panic::catch_unwind(|| Verifier::dangerous_unsigned(APP).also_accept(TOKEN)).is_err());
}

#[tokio::test]
async fn the_clock_is_read_for_each_request() {
    let now = Arc::new(AtomicU64::new(NOW));
    let clock = Arc::clone(&now);
    let verifier = Verifier::signed(APP, TOKEN).clock(move || at(clock.load(Ordering::SeqCst)));
    let webhook = Webhook::new(verifier, Recorder::default());
    let body = event_json("SessionBegin").to_string();
    assert!(send(&webhook, post(&signed(), body.clone())).await.is_ok());
    now.store(NOW + 61, Ordering::SeqCst);
    assert_eq!(send(&webhook, post(&signed(), body)).await.code, 40103);
}

#[tokio::test]
async fn a_rotated_token_and_the_one_before_it_are_accepted() {
    let webhook = Webhook::new(verifier(), Recorder::default());
    let mounted = webhook.clone();
    let code = async |token: &str| {
        send(&mounted, post(&query(APP, token, NOW), event_json("SessionBegin").to_string())).await.code
    };
    webhook.rotate("second");
    webhook.rotate("second");
    assert_eq!((code(TOKEN).await, code("second").await), (0, 0));
    webhook.rotate("third");
    assert_eq!((code(TOKEN).await, code("second").await, code("third").await), (40104, 0, 0));
}

/// Tests every bit.
#[tokio::test]
async fn a_single_wrong_bit_is_refused() {
    let query = |app: u64, sign: &str, time: &str| {
        format!("SdkAppid={app}&CallbackCommand={COMMAND}&Sign={sign}&RequestTime={time}")
    };
    let code = async |query: String| ask(verifier(), &query).await.code;
    let now = NOW.to_string();
    assert_eq!(code(query(APP, SIGN, &now)).await, 0);
    for bit in 0..256 {
        let mut bytes: Vec<u8> =
            (0..32).map(|byte| u8::from_str_radix(&SIGN[2 * byte..2 * byte + 2], 16).unwrap()).collect();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let sign: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(code(query(APP, &sign, &now)).await, 40104, "bit {bit}");
    }
    for bit in 0..63 {
        assert_eq!(code(query(APP ^ (1 << bit), SIGN, &now)).await, 40301, "bit {bit}");
    }
    for bit in 0..36 {
        let code = code(query(APP, SIGN, &(NOW ^ (1 << bit)).to_string())).await;
        assert!([40102, 40103, 40104].contains(&code), "bit {bit}: {code}");
    }
    // Every bit of the text.
    for bit in 0..8 * now.len() {
        let mut digits = now.clone().into_bytes();
        digits[bit / 8] ^= 1 << (bit % 8);
        let encoded: String = digits.iter().map(|byte| format!("%{byte:02X}")).collect();
        assert_ne!(code(query(APP, SIGN, &encoded)).await, 0, "bit {bit}");
    }
}
