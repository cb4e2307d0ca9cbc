//! Valid bodies that try to exceed an event's limits of memory and time by nesting.

use bytes::Bytes;

/// Every shape, as a body of about `size` bytes.
pub fn shapes(size: usize) -> Vec<(String, Bytes)> {
    let room = size - 200;
    let text = |content: String| element("TIMTextElem", &format!(r#"{{"Text":"{content}"}}"#));
    let list = |kind: &str, name: &str, item: &str| {
        fill(&format!(r#"[{{"MsgType":"{kind}","MsgContent":{{"{name}":["#), item, "]}}]", room)
    };
    let unknown = |item: &str| fill(r#"[{"MsgType":"New","MsgContent":["#, item, "]}]", room);
    let members: String = (0..room / 12).map(|number| format!("\"{number:07}\":0,")).collect();
    let members = members.trim_end_matches(',');
    let zeros = format!("[{}]", ["0"; 1000].join(","));
    let mut shapes = vec![
        ("one text", format!("[{}]", text("x".repeat(room)))),
        ("one text of escapes", format!("[{}]", text("\\n".repeat(room / 2)))),
        ("texts", fill("[", &text(String::new()), "]", room)),
        ("one text of half emojis", format!("[{}]", text("\\ud83d".repeat(room / 6)))),
        ("texts with half an emoji", fill("[", &text("\\ud83d".to_owned()), "]", room)),
        (
            "unknown elements with half an emoji",
            fill("[", r#"{"MsgType":"N","MsgContent":{"":"\ude00"}}"#, "]", room),
        ),
        ("unknown numbers beyond f64", unknown("1e999")),
        ("elements without content", fill("[", r#"{"MsgType":"TIMVideoFileElem"}"#, "]", room)),
        ("empty objects", fill("[", "{}", "]", room)),
        ("zeros", fill("[", "0", "]", room)),
        ("a relay of zeros", list("TIMRelayElem", "MsgList", &format!(r#"{{"MsgBody":{zeros}}}"#))),
        ("a relay of empty objects", list("TIMRelayElem", "MsgList", "{}")),
        ("a relay of messages", list("TIMRelayElem", "MsgList", r#"{"MsgBody":[{}]}"#)),
        ("abstracts", list("TIMRelayElem", "AbstractList", r#""""#)),
        ("abstracts that are none", list("TIMRelayElem", "AbstractList", "0")),
        ("chunks", list("TIMStreamElem", "Chunks", "{}")),
        ("chunks with a name twice", list("TIMStreamElem", "Chunks", r#"{"Index":1,"Index":2}"#)),
        ("images", list("TIMImageElem", "ImageInfoArray", "{}")),
        ("unknown zeros", unknown("0")),
        ("unknown lists", unknown("[0]")),
        ("unknown objects", unknown(r#"{"":0}"#)),
        ("unknown texts", unknown(r#""""#)),
        ("unknown members", format!(r#"[{{"MsgType":"New","MsgContent":{{{members}}}}}]"#)),
        ("unknown elements", fill("[", r#"{"MsgType":"N","MsgContent":{"":0}}"#, "]", room)),
        (
            "a type twice",
            fill("[", r#"{"MsgType":"New","MsgType":"TIMTextElem","MsgContent":{}}"#, "]", room),
        ),
        (
            "a type twice behind its content",
            fill("[", r#"{"MsgContent":{},"MsgType":"New","MsgType":"TIMTextElem"}"#, "]", room),
        ),
        (
            "a content twice",
            fill("[", r#"{"MsgType":"TIMTextElem","MsgContent":0,"MsgContent":{}}"#, "]", room),
        ),
        (
            "data",
            format!(
                "[{}]",
                element("TIMCustomElem", &format!(r#"{{"Data":"{}"}}"#, "[0],".repeat(room / 4)))
            ),
        ),
    ]
    .into_iter()
    .map(|(name, elements)| (name.to_owned(), body(&elements)))
    .collect::<Vec<_>>();
    for levels in [1, 4, 8, 9, 20] {
        let room = room - 80 * levels;
        for (name, elements) in [
            ("text", format!("[{}]", text("x".repeat(room)))),
            ("empty objects", fill("[", "{}", "]", room)),
            ("repeated names", fill("[", &element("TIMTextElem", r#"{"Text":"a","Text":"b"}"#), "]", room)),
        ] {
            for type_first in [true, false] {
                let order = if type_first { "type first" } else { "content first" };
                let name = format!("{name} in {levels} relays, {order}");
                shapes.push((name, body(&nest(levels, elements.clone(), type_first))));
            }
        }
    }
    shapes.push(("unknown fields".to_owned(), event(members)));
    shapes.push(("an unknown list".to_owned(), event(&fill("\"X\":[", "0", "]", room))));
    shapes.push(("one field again and again".to_owned(), event(&fill("", r#""AgentId":"abc""#, "", room))));
    shapes
}

/// The shape with this name, at a size that callgrind can handle for all shapes.
pub fn shape(name: &str) -> Bytes {
    let found = shapes(100_000).into_iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("there is no shape {name:?}")).1
}

fn event(more: &str) -> Bytes {
    format!(r#"{{"SessionId":"s","Event":"Human.UserSendMsg","EventTime":1725540020017,{more}}}"#).into()
}

fn body(elements: &str) -> Bytes {
    event(&format!("\"MsgBody\":{elements}"))
}

fn element(kind: &str, content: &str) -> String {
    format!(r#"{{"MsgType":"{kind}","MsgContent":{content}}}"#)
}

/// As many items as fit.
fn fill(before: &str, item: &str, behind: &str, room: usize) -> String {
    let count = (room.saturating_sub(before.len() + behind.len()) / (item.len() + 1)).max(1);
    format!("{before}{}{behind}", vec![item; count].join(","))
}

fn nest(levels: usize, mut elements: String, type_first: bool) -> String {
    for _ in 0..levels {
        let content = format!(r#""MsgContent":{{"MsgList":[{{"MsgBody":{elements}}}]}}"#);
        let kind = r#""MsgType":"TIMRelayElem""#;
        elements =
            if type_first { format!("[{{{kind},{content}}}]") } else { format!("[{{{content},{kind}}}]") };
    }
    elements
}
