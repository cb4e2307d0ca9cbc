//! Which queries are accepted and which are refused.

use tencent_desk_webhook::Webhook;

use crate::support::{APP, Answer, NOW, Recorder, SIGN, deliver, event_json, post, send, signed, verifier};

async fn ask(query: &str) -> Answer {
    send(&Webhook::new(verifier(), Recorder::default()), post(query, event_json("SessionBegin").to_string()))
        .await
}

#[tokio::test]
async fn names_match_in_any_order_case_and_encoding() {
    for query in [
        signed(),
        format!("RequestTime={NOW}&Sign={SIGN}&CallbackCommand=Desk.SessionEventNotify&SdkAppid={APP}"),
        format!("sdkappid={APP}&SIGN={SIGN}&requesttime={NOW}"),
        format!("SDKAppID={APP}&sIgN={}&RequestTime={NOW}", SIGN.to_uppercase()),
        format!(
            "S%64kAppid=%31400000000&S%69gn={SIGN}&RequestTime=%31669872112&CallbackCommand=Desk%2ESessionEventNotify"
        ),
        format!("{}&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI", signed()),
        format!("&&{}&&=&x&y=&%zz=%&signature=no", signed()),
        format!("{}&Sign={SIGN}&sdkappid={APP}&REQUESTTIME={NOW}", signed()),
        format!("{}&ClientIP=1.1.1.1&ClientIP=2.2.2.2", signed()),
    ] {
        let answer = ask(&query).await;
        assert!(answer.is_ok(), "{query}: {answer:?}");
    }
}

#[tokio::test]
async fn parameters_that_matter_may_not_be_ambiguous() {
    for second in [
        "Sign=00",
        "sign=00",
        "SdkAppid=1",
        "sdkappid=01400000000",
        "RequestTime=1669872113",
        "%52equestTime=1669872113",
        "CallbackCommand=State.StateChange",
        "callbackcommand=",
    ] {
        let answer = ask(&format!("{}&{second}", signed())).await;
        assert_eq!((answer.status, answer.code), (400, 40002), "{second}");
    }
}

#[tokio::test]
async fn the_app_is_decimal_digits() {
    for app in [
        "",
        "abc",
        "-1",
        "+1400000000",
        "1400000000.0",
        "0x53724E00",
        "1400000000%20",
        "99999999999999999999",
    ] {
        let answer = ask(&signed().replace("SdkAppid=1400000000", &format!("SdkAppid={app}"))).await;
        assert_eq!((answer.status, answer.code), (400, 40003), "{app:?}");
    }
}

#[tokio::test]
async fn a_query_of_any_length_up_to_8192_bytes_is_read() {
    let padded = |length: usize| {
        let query = format!("{}&x=", signed());
        let padding = "y".repeat(length - query.len());
        query + &padding
    };
    assert!(ask(&padded(8192)).await.is_ok());
    let answer = ask(&padded(8193)).await;
    assert_eq!((answer.status, answer.code), (400, 40001));
}

#[tokio::test]
async fn the_querys_parameters_are_in_the_event() {
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(), recorder.clone());
    let query = format!("{}&RequestID=a%2Fb+c&ClientIP=10.0.0.7&OptPlatform=iOS", signed());
    assert!(send(&webhook, post(&query, event_json("SessionBegin").to_string())).await.is_ok());

    let event = recorder.events().remove(0);
    assert_eq!(event.sdk_app_id, APP);
    assert_eq!(event.request_id.as_deref(), Some("a/b c"));
    assert_eq!(event.client_ip.as_deref(), Some("10.0.0.7"));
    assert_eq!(event.platform.as_deref(), Some("iOS"));
}

#[tokio::test]
async fn the_body_cannot_override_the_query() {
    let mut body = event_json("SessionBegin");
    body["SdkAppid"] = 7.into();
    body["RequestID"] = "forged".into();
    body["Raw"] = "forged".into();
    let (_, event) = deliver(&body).await;
    assert_eq!(event.sdk_app_id, APP);
    assert_eq!(event.request_id, None);
    assert_eq!(event.raw(), body.to_string());
}
