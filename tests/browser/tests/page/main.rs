//! The live page of `desk listen --page` in a real Chromium (Debian's package `chromium`), with sessions that `desk` plays.

#![allow(missing_docs, clippy::unwrap_used)]

mod browser;
mod desk;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    browser::{Tab, open},
    desk::Listener,
};

#[tokio::test]
async fn a_played_session_appears_while_the_page_is_open() {
    let listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    tab.until("document.querySelector('#link.up')").await;
    tab.until("document.querySelector('#list').textContent === 'No session yet.'").await;

    listener.desk(["play", "--scenario", "rated", "--seed", "1", "--rate", "50"]);
    tab.until("document.querySelector('.session')?.textContent.includes('user-0')").await;
    tab.click(".session").await;
    tab.until("document.querySelector('#talk').textContent.includes('The session ends')").await;
    let talk = tab.text("#talk").await;
    for words in [
        "The session begins",
        "请问如何申请退费?",
        "The user waits for an agent",
        "Agent test@qq.com takes over",
        "Rated with 5",
        "The user ended the session",
    ] {
        assert!(talk.contains(words), "{words}: {talk}");
    }
    for (side, count) in [("user.left", 3), ("bot.right", 2), ("agent.right", 1)] {
        assert_eq!(
            tab.eval(&format!("document.querySelectorAll('.row.{side}').length")).await,
            count,
            "{side}"
        );
    }
    tab.until("document.querySelector('.session').textContent.includes('★★★★★')").await;
    tab.until("document.querySelector('#counts').textContent.startsWith('1 sessions, 0 waiting, 13 events')")
        .await;
}

#[tokio::test]
async fn who_waits_and_for_how_long() {
    let listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    listener.desk(["send", "TransferringToHumanWait", "--session", "s-1", "--user", "patient"]);
    listener.desk(["send", "SessionBegin", "--session", "s-2", "--user", "other"]);
    tab.until("document.querySelectorAll('.session').length === 2").await;
    tab.click("[data-show=waiting]").await;
    tab.until("document.querySelectorAll('.session').length === 1").await;
    // The time goes on without any event.
    tab.until("/waits 0:0[1-9]/.test(document.querySelector('.badge.waiting')?.textContent)").await;
    listener.desk(["send", "TransferToHumanSuccess", "--session", "s-1", "--user", "patient"]);
    tab.until("!document.querySelector('.badge.waiting')").await;
    listener.desk(["send", "Human.UserSendMsg", "--session", "s-1", "--user", "patient", "--text", "hello?"]);
    tab.until("document.querySelector('.badge.unanswered')").await;
    listener.desk([
        "send",
        "AgentForward",
        "--session",
        "s-1",
        "--agent",
        "b",
        "--set",
        "ForwardFromAgentId=a",
    ]);
    listener.desk(["send", "Human.AgentSendMsg", "--session", "s-1", "--agent", "b"]);
    tab.until("!document.querySelector('.badge.unanswered')").await;
    tab.click("[data-show=all]").await;
    tab.until("document.querySelector('[data-key$=\"s-1\"]')").await;
    tab.click("[data-key$='s-1']").await;
    tab.until("document.querySelector('#talk').textContent.includes('Forwarded from a to b')").await;
}

/// In a text, in a user's and an agent's name, in a session's and an event's.
#[tokio::test]
async fn scripts_in_events_stay_text() {
    let listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    let attack = "<script>window.hacked = 1</script><img src=x onerror=\"window.hacked = 2\"><b>bold</b>";
    listener.desk([
        "send",
        "Human.UserSendMsg",
        "--session",
        attack,
        "--user",
        attack,
        "--text",
        attack,
        "--set",
        &format!("New={attack}"),
    ]);
    listener.desk(["send", attack, "--session", attack, "--agent", attack]);
    listener.desk([
        "send",
        "AgentForward",
        "--session",
        attack,
        "--agent",
        attack,
        "--set",
        &format!("ForwardFromAgentId={attack}"),
    ]);
    tab.until("document.querySelector('.session')").await;
    tab.click(".session").await;
    tab.until("document.querySelectorAll('#talk .row').length === 3").await;
    assert_eq!(tab.text(".row.user .bubble").await, attack);
    tab.click(".row.user .bubble").await;
    tab.until("!document.querySelector('#detail').hidden").await;
    assert!(tab.text("#detail pre").await.contains("<script>window.hacked"));
    assert_eq!(
        tab.eval("document.querySelectorAll('img, b, #talk script, #list script, #detail script').length")
            .await,
        0
    );
    assert_eq!(tab.eval("typeof window.hacked").await, "undefined");

    // Even if a text were inserted as HTML, the policy would keep its scripts from running.
    let inserted =
        "document.querySelector('#talk').innerHTML = '<img src=data:, onerror=\"window.hacked = 3\">'; 1";
    tab.eval(inserted).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(tab.eval("typeof window.hacked").await, "undefined");
    let inline = "(() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 4'; document.body.append(s); return 1 })()";
    tab.eval(inline).await;
    assert_eq!(tab.eval("typeof window.hacked").await, "undefined");
}

#[tokio::test]
async fn ten_thousand_events_keep_the_page_responsive() {
    let listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    listener.desk(["play", "--sessions", "1100", "--concurrency", "32"]);
    tab.until("received >= 10000").await;
    // The longest that a click would have had to wait while they came.
    let longest = tab.eval("longest").await.as_f64().unwrap();
    assert!(longest < 1500.0, "the page stood still for {longest} ms");
    assert!(tab.eval("document.querySelectorAll('.session').length").await.as_u64().unwrap() <= 200);
    assert!(tab.eval("kept").await.as_u64().unwrap() <= 10_000);

    tab.click(".session").await;
    tab.until("document.querySelector('#talk .head')").await;
    let user = tab.text("#talk .head strong").await;
    tab.type_into("#search", &user).await;
    tab.until(&format!(
        "[...document.querySelectorAll('.session .user')].every((u) => u.textContent.includes('{user}'))"
    ))
    .await;
    tab.until("document.querySelectorAll('.session').length > 0").await;
}

#[tokio::test]
async fn refused_requests_have_their_reasons() {
    let listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    listener.desk(["send", "SessionBegin", "--wrong-signature"]);
    listener.desk(["send", "SessionBegin", "--foreign-app"]);
    tab.until("refusedCount === 2").await;
    tab.click("[data-show=refused]").await;
    tab.until("document.querySelectorAll('.refused').length === 2").await;
    let refused = tab.text("#talk").await;
    for words in
        ["40104 wrong_signature", "40301 foreign_app", "What to do: compare the token", "app 1400000001"]
    {
        assert!(refused.contains(words), "{words}: {refused}");
    }
}

#[tokio::test]
async fn an_event_has_its_typed_fields_and_its_raw_json() {
    let listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    listener.desk([
        "send",
        "Human.UserSendMsg",
        "--session",
        "s-1",
        "--element",
        "TIMFileElem",
        "--set",
        "New={\"x\":[1]}",
    ]);
    // A repeat is shown once.
    listener.desk(["send", "SatisfactionSelected", "--session", "s-1", "--set", "EventTime=1795598227860"]);
    listener.desk(["send", "SatisfactionSelected", "--session", "s-1", "--set", "EventTime=1795598227860"]);
    tab.until("received === 3").await;
    tab.click(".session").await;
    tab.until("document.querySelectorAll('#talk .row').length === 2").await;
    tab.until("document.querySelector('#talk').textContent.includes('received 2 times')").await;
    assert!(tab.text(".row.user .bubble").await.starts_with("[File] file:///private"));
    tab.click(".row.user .bubble").await;
    tab.until("!document.querySelector('#detail').hidden").await;
    let detail = tab.text("#detail").await;
    assert!(detail.contains("ClientUserId") && detail.contains("\"UUID\": \"file-1\""), "{detail}");
    let raw: Value = serde_json::from_str(&tab.text("#detail pre").await).unwrap();
    assert_eq!(raw["New"], json!({"x": [1]}));
    tab.click("#detail button").await;
    tab.until("document.querySelector('#detail').hidden").await;
}

#[tokio::test]
async fn two_languages_and_two_colour_schemes() {
    let listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    tab.until("document.querySelector('#link.up')").await;
    assert_eq!(tab.eval("document.documentElement.lang").await, "en");
    tab.click("#language").await;
    tab.until("document.querySelector('#list').textContent === '暂无会话。'").await;
    assert_eq!(tab.text("h1").await, "智能客服实时会话");
    assert_eq!(tab.eval("document.documentElement.lang").await, "zh-CN");
    let texts = "JSON.stringify(Object.keys(TEXTS.en)) === JSON.stringify(Object.keys(TEXTS.zh))";
    assert_eq!(tab.eval(texts).await, true);
    let background = "getComputedStyle(document.body).backgroundColor";
    tab.scheme("light").await;
    assert_eq!(tab.eval(background).await, "rgb(245, 246, 248)");
    tab.scheme("dark").await;
    assert_eq!(tab.eval(background).await, "rgb(17, 21, 27)");
}

#[tokio::test]
async fn a_restarted_receiver_is_connected_to_again() {
    let mut listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    listener.desk(["send", "SessionBegin", "--session", "before"]);
    tab.until("sessions.size === 1").await;
    listener.restart();
    tab.until("document.querySelector('#link.up') && received >= 1").await;
    listener.desk(["send", "SessionBegin", "--session", "after"]);
    tab.until("sessions.size === 2").await;
}

/// For the README: `DESK_SCREENSHOT=docs/images/live.png cargo test -p desk-browser-tests screenshot`.
#[tokio::test]
async fn a_screenshot_shows_sessions() {
    let listener = Listener::start();
    let Some(tab) = open(&listener.page()).await else { return };
    listener.desk(["play", "--sessions", "12", "--concurrency", "12", "--rate", "400"]);
    for (session, user, question) in
        [("s-1", "li.lei", "你好，我的订单什么时候发货？"), ("s-2", "han.mei", "发票可以补开吗？")]
    {
        let send = |name: &str, text: &str, agent: &str| {
            let mut arguments = vec!["send", name, "--session", session, "--user", user];
            if !text.is_empty() {
                arguments.extend(["--text", text]);
            }
            if !agent.is_empty() {
                arguments.extend(["--agent", agent]);
            }
            listener.desk(arguments);
        };
        send("SessionBegin", "", "");
        send("ChatBot.RobotSendMsg", "您好，请问有什么可以帮您？", "");
        send("ChatBot.UserSendMsg", question, "");
        send("ChatBot.UserSendMsg", "转人工", "");
        send("TransferringToHumanWait", "", "");
        if session == "s-1" {
            send("TransferToHumanSuccess", "", "wang@example.com");
            send("Human.AgentSendMsg", "您好，您的订单今天下午发货。", "wang@example.com");
            send("Human.UserSendMsg", "好的，谢谢！能改收货地址吗？", "");
        }
    }
    tab.until("document.querySelectorAll('.session').length === 14").await;
    tab.click("[data-key$='s-1']").await;
    tab.until("document.querySelectorAll('#talk .row').length === 8").await;
    let image = tab.screenshot().await;
    assert!(image.len() > 10_000);
    if let Some(path) = std::env::var_os("DESK_SCREENSHOT") {
        std::fs::write(path, image).unwrap();
    }
}

impl Tab {
    async fn text(&self, selector: &str) -> String {
        self.eval(&format!("document.querySelector({}).textContent", json!(selector)))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }
}
