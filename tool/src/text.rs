//! Untrusted text for terminals.

/// The text on one line, with an escape for each character that a terminal would obey or hide: strangers write what they like.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => printable.push('⏎'),
            _ if is_invisible(c) => printable.extend(c.escape_unicode()),
            _ => printable.push(c),
        }
    }
    printable
}

/// The same JSON, with the same characters escaped.
pub(crate) fn printable_json(json: &str) -> String {
    let mut printable = String::with_capacity(json.len());
    for c in json.chars() {
        if is_invisible(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                printable.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            printable.push(c);
        }
    }
    printable
}

/// Control characters, line and paragraph separators, and what has no width or turns the direction of text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// At most `limit` characters of it.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        assert_eq!(printable("谢谢 \"ok\" it's"), "谢谢 \"ok\" it's");
        assert_eq!(printable("a\x1b[31mb\u{202E}c\nd"), "a\\u{1b}[31mb\\u{202e}c⏎d");
        assert_eq!(printable("❤\u{fe0f} \u{9b}2J"), "❤\u{fe0f} \\u{9b}2J");
        let json = "{\"a\":\"\u{9b}\u{e0001}谢\"}";
        assert_eq!(printable_json(json), r#"{"a":"\u009b\udb40\udc01谢"}"#);
        assert_eq!(shortened("谢谢你", 2), "谢谢…");
    }
}
