//! Rewrites what is legal JSON and no Rust value can hold: half an emoji, and numbers beyond `f64`.
//!
//! Clients cut texts without regard to UTF-16 pairs. Half an emoji becomes U+FFFD, and a number such as `1e999` the text of its
//! digits. Everything else stays as it is.

/// `None`: there is nothing to rewrite.
pub(crate) fn mend(json: &str) -> Option<String> {
    let bytes = json.as_bytes();
    let (mut mended, mut copied) = (String::new(), 0);
    let (mut at, mut in_text) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += match byte {
            b'\\' if in_text => escape_length(json, start),
            b'-' | b'0'..=b'9' if !in_text => number_length(&bytes[start..]),
            _ => 1,
        };
        in_text ^= byte == b'"';
        let odd = at.min(json.len());
        let replacement = match byte {
            b'\\' if in_text && is_surrogate(json, start) && at == start + 6 => "\\ufffd".to_owned(),
            b'-' | b'0'..=b'9' if !in_text && json[start..odd].parse().is_ok_and(f64::is_infinite) => {
                format!("\"{}\"", &json[start..odd])
            }
            _ => continue,
        };
        mended.push_str(&json[copied..start]);
        mended.push_str(&replacement);
        copied = odd;
    }
    (copied > 0).then(|| mended + &json[copied..])
}

/// Of the escape at `start`, or of the two that make one character.
fn escape_length(json: &str, start: usize) -> usize {
    match (code_unit(json, start), code_unit(json, start + 6)) {
        (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
        (Some(_), _) => 6,
        (None, _) => 2,
    }
}

fn is_surrogate(json: &str, start: usize) -> bool {
    matches!(code_unit(json, start), Some(0xD800..=0xDFFF))
}

fn number_length(bytes: &[u8]) -> usize {
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    bytes.iter().take_while(is_part).count()
}

/// The code unit of the `\uXXXX` at `start`.
fn code_unit(json: &str, start: usize) -> Option<u32> {
    let digits = json.get(start..start + 6)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::mend;

    #[test]
    fn only_what_no_value_can_hold_is_rewritten() {
        for fine in [
            r#"{"a\\":"\ud83d\ude00\"1e999","b":[1e308,-0.5]}"#,
            r"\",
            "\\u12",
            "",
            "\"\\\u{e9}\"",
            "1e",
            "-",
        ] {
            assert_eq!(mend(fine), None, "{fine}");
        }
        for (odd, mended) in [
            (r#"["\ud83d"]"#, r#"["\ufffd"]"#),
            (r#"["\ude00\ud83d\ud83d\ude00x\\ud83d"]"#, r#"["\ufffd\ufffd\ud83d\ude00x\\ud83d"]"#),
            (r#"{"\ud800":-1e999,"x":1e999}"#, r#"{"\ufffd":"-1e999","x":"1e999"}"#),
        ] {
            assert_eq!(mend(odd).as_deref(), Some(mended), "{odd}");
        }
        let digits = "9".repeat(400);
        assert_eq!(mend(&digits), Some(format!("\"{digits}\"")));
    }
}
