//! The signature: `Sign` is the hex of SHA-256(token ‖ `RequestTime`) (the vendor's page on callback configuration, product
//! 269, document 32431). Neither it nor a token is in any reason.

use sha2::{Digest as _, Sha256};

use super::{Check, claims::Claims, receiver::Receiver};

pub(super) fn check(receiver: &Receiver, claims: &Claims) -> Check {
    let check = |ok, why: String| Check::new("signature", ok, why);
    if !receiver.checks_signatures() {
        return check(
            true,
            "not checked, because the receiver has no token (--token or DESK_TOKEN)".to_owned(),
        );
    }
    let Some(sign) = claims.present("Sign") else {
        let why = if claims.first("Sign").is_some() { "empty" } else { "missing" };
        return check(
            false,
            format!("Sign is {why}: authentication is off in the console, or a proxy cut the query"),
        );
    };
    if let Some(why) = shape(sign) {
        return check(false, why);
    }
    let Some(time) = claims.present("RequestTime") else {
        return check(false, "Sign cannot be checked without RequestTime".to_owned());
    };
    let sign = sign.to_ascii_lowercase();
    let (ok, why) = diagnose(&receiver.tokens, time, &sign);
    check(ok, why)
}

/// What is wrong with it whatever the token.
fn shape(sign: &str) -> Option<String> {
    let digits = sign.len();
    if !sign.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(
            "Sign is not made of hexadecimal digits alone: it is encoded otherwise, masked or damaged"
                .to_owned(),
        );
    }
    let guess = match digits {
        64 => return None,
        32 => ", as MD5 has",
        40 => ", as SHA-1 has",
        96 => ", as SHA-384 has",
        128 => ", as SHA-512 has",
        0..64 => ": it was cut off",
        _ => "",
    };
    Some(format!("Sign has {digits} hexadecimal digits{guess}, and SHA-256 has 64"))
}

fn diagnose(tokens: &[String], time: &str, sign: &str) -> (bool, String) {
    let signs = |token: &str| hex(token, time) == sign;
    let is_surrounded = |token: &str| token.trim() != token;
    let which = |at: usize| {
        if tokens.len() == 1 {
            "this token".to_owned()
        } else {
            format!("token {} of {}", at + 1, tokens.len())
        }
    };
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| !is_surrounded(token)) {
        if signs(token) {
            let why = if at == 0 {
                "valid".to_owned()
            } else {
                format!("valid for another live token: {}", which(at))
            };
            return (true, why);
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        let which = which(at);
        if is_surrounded(token) && signs(token.trim()) {
            return (
                false,
                format!(
                    "valid if {which} had no surrounding white space: trim it where the receiver reads it"
                ),
            );
        }
        if is_surrounded(token) && signs(token) {
            let why = "valid for the token with its surrounding white space, and no receiver of this library starts with such a token: \
                trim it here and in the console";
            return (false, why.to_owned());
        }
        let around = [" ", "\n", "\r\n", "\t", "\r"];
        let trimmed = token.trim();
        if around
            .iter()
            .any(|space| signs(&format!("{trimmed}{space}")) || signs(&format!("{space}{trimmed}")))
        {
            return (
                false,
                format!(
                    "valid if {which} had white space around it: the console's has it, so enter it there again"
                ),
            );
        }
        let bare = trimmed.trim_matches(['"', '\'']);
        if bare.len() < trimmed.len() && signs(bare) {
            return (false, format!("valid if {which} had no quotation marks around it"));
        }
        if hex(time, trimmed) == sign {
            return (
                false,
                format!(
                    "of {which}, but in the wrong order: it has to be SHA-256 of the token and RequestTime behind it"
                ),
            );
        }
        if hex(trimmed, "") == sign {
            return (false, format!("of {which} without RequestTime behind it"));
        }
        if [trimmed.to_lowercase(), trimmed.to_uppercase()]
            .iter()
            .any(|other| other != trimmed && signs(other))
        {
            return (false, format!("valid if {which} were in another case"));
        }
    }
    let none = if tokens.len() == 1 { "not of this token" } else { "of none of these tokens" };
    (false, format!("{none}: the console has another one, or RequestTime was changed on the way"))
}

fn hex(first: &str, second: &str) -> String {
    let digest = Sha256::new().chain_update(first).chain_update(second).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
