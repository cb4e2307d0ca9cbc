//! Untrusted text for terminals.

/// The text on one line, with an escape for each character that a terminal would obey or hide: strangers write what they like.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' | '"' | '\\' | '\'' => printable.push(c),
            '\n' => printable.push('⏎'),
            _ if is_hidden(c) || c.escape_debug().count() > 1 => printable.extend(c.escape_unicode()),
            _ => printable.push(c),
        }
    }
    printable
}

/// What turns or hides the text around it, and is not control in Unicode's sense.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
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
        assert_eq!(shortened("谢谢你", 2), "谢谢…");
    }
}
