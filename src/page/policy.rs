//! The content security policy: the page's own script and style by their digests, its own origin for events, and nothing else.

use std::sync::OnceLock;

use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use super::HTML;

pub(super) fn of_the_page() -> HeaderValue {
    static POLICY: OnceLock<HeaderValue> = OnceLock::new();
    let policy = || {
        let (script, style) = (digest("script"), digest("style"));
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        // Base64 has no character that a header may not have.
        HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
    };
    POLICY.get_or_init(policy).clone()
}

/// Of what is inside the one element of this name.
fn digest(name: &str) -> String {
    let inside = HTML
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
        .map_or("", |(inside, _)| inside);
    base64(&Sha256::digest(inside))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let encoded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    /// Browsers ignore handlers and styles in attributes under this policy, so the page must not rely on them.
    #[test]
    fn the_page_has_one_script_and_one_style_and_nothing_inline() {
        for element in ["<script>", "<style>"] {
            assert_eq!(HTML.matches(element).count(), 1, "{element}");
        }
        for forbidden in
            [" onclick=", " onload=", " style=", "<script ", "<link", "innerHTML", "http:", "https:", "eval("]
        {
            assert!(!HTML.contains(forbidden), "{forbidden}");
        }
    }
}
