//! The query as a whole: parameters that are there twice, encoded twice, or cut off.

use http::{Method, Uri};

use super::{
    Check,
    claims::{Claims, DECIDING, NAMES},
    input::Asked,
    receiver::Receiver,
};

/// What the library takes.
const LIMIT: usize = 8 * 1024;

pub(super) fn check(receiver: &Receiver, asked: &Asked, claims: &Claims) -> Check {
    let query = asked.query();
    let mut faults = Vec::new();
    if asked.method != Method::POST {
        faults.push(format!("the request is a {}, and only POST is answered", asked.method));
    }
    if Uri::try_from(asked.target.as_str()).is_err() {
        faults
            .push("the URL holds characters that have to be encoded, so no HTTP server takes it".to_owned());
    }
    if query.is_empty() {
        faults.push("there is no query: a proxy dropped it, or this is not the sender's URL".to_owned());
    } else if query.len() > LIMIT {
        faults.push(format!("the query has {} bytes, and at most {LIMIT} are read", query.len()));
    }
    let (repeated, mut remarks) = repetitions(claims);
    faults.extend(repeated);
    faults.extend(encoded_wrongly(query, claims));
    if !query.is_empty() {
        faults.extend(cut_off(receiver, query, claims));
    }
    if faults.is_empty() {
        remarks.insert(0, "each parameter can be read".to_owned());
        return Check::new("query", true, remarks.join("; "));
    }
    faults.append(&mut remarks);
    Check::new("query", false, faults.join("; "))
}

/// Those that are refused, and those that are worth knowing.
fn repetitions(claims: &Claims) -> (Vec<String>, Vec<String>) {
    let (mut faults, mut remarks) = (Vec::new(), Vec::new());
    for name in NAMES {
        let values: Vec<&str> = claims.all(name).collect();
        let [first, others @ ..] = &values[..] else { continue };
        if others.is_empty() {
            continue;
        }
        let is_equal = others.iter().all(|other| other == first);
        let decides = DECIDING.contains(&name);
        let times = values.len();
        match (decides, is_equal) {
            (true, false) => faults.push(format!(
                "{name} is there {times} times with different values: which one counts is ambiguous"
            )),
            (_, true) => remarks.push(format!("{name} is there {times} times with the same value")),
            (false, false) => {
                remarks.push(format!("{name} is there {times} times, and the first one counts"))
            }
        }
    }
    (faults, remarks)
}

fn encoded_wrongly(query: &str, claims: &Claims) -> Vec<String> {
    let mut faults = Vec::new();
    let decoded = Claims::of(&percent_decoded(query));
    let missing = |name: &&&str| claims.first(name).is_none() && decoded.first(name).is_some();
    let hidden: Vec<&str> = DECIDING.iter().filter(missing).copied().collect();
    if !hidden.is_empty() {
        faults.push(format!(
            "the query is double-encoded: {} can only be read once it is decoded twice",
            hidden.join(", ")
        ));
    }
    for name in NAMES.iter().filter(|name| claims.first(name).is_some_and(has_escape)) {
        faults.push(format!("{name} is double-encoded: it still has % escapes once it is decoded"));
    }
    if claims.0.iter().any(|(name, _)| name.starts_with("amp;")) {
        faults.push(
            "parameters are separated by &amp;: the URL was copied from HTML or encoded for it".to_owned(),
        );
    }
    for (name, value) in &claims.0 {
        if let Some(found) = NAMES.iter().find(|known| holds(name, '?', known) || holds(value, '?', known)) {
            faults.push(format!(
                "{found} comes behind a second question mark: a URL that has a query goes on with &"
            ));
        }
        if let Some(found) = NAMES.iter().find(|known| holds(value, ';', known)) {
            faults.push(format!("{found} comes behind a semicolon, which does not separate parameters"));
        }
    }
    faults
}

/// Whether `name=` or the name alone comes behind `separator` in it.
fn holds(text: &str, separator: char, name: &str) -> bool {
    text.split(separator).skip(1).any(|rest| {
        let found = rest.split(['=', '&', ';']).next().unwrap_or_default();
        found.eq_ignore_ascii_case(name)
    })
}

fn has_escape(value: &str) -> bool {
    value
        .as_bytes()
        .windows(3)
        .any(|escape| escape[0] == b'%' && escape[1..].iter().all(u8::is_ascii_hexdigit))
}

fn percent_decoded(text: &str) -> String {
    // As a name without a value, so that nothing else is read into it.
    let text = text.replace('&', "%26").replace('=', "%3D").replace('+', "%2B");
    form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn cut_off(receiver: &Receiver, query: &str, claims: &Claims) -> Option<String> {
    let last = query.rsplit('&').next().unwrap_or_default();
    let (name, value) = last.split_once('=').map_or((last, None), |(name, value)| (name, Some(value)));
    let is_escape_cut = matches!(query.as_bytes(), [.., b'%'] | [.., b'%', _]);
    if query.ends_with("...") || query.ends_with('…') {
        return Some("the query ends with an ellipsis: what wrote the log cut it off".to_owned());
    }
    let is_name_cut = value.is_none()
        && NAMES.iter().any(|known| {
            known.len() > name.len()
                && !name.is_empty()
                && known.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        });
    if is_name_cut || is_escape_cut {
        return Some("the query ends in the middle of a parameter: a proxy cut it off".to_owned());
    }
    if !receiver.checks_signatures() || !claims.has_any() {
        return None;
    }
    if name.eq_ignore_ascii_case("Sign") && value.is_some_and(is_cut_hex) {
        return Some("the query ends in the middle of Sign: a proxy cut it off".to_owned());
    }
    let is_missing = |name: &str| claims.present(name).is_none() && !is_hidden(query, name);
    if name.eq_ignore_ascii_case("Sign") && is_missing("RequestTime") {
        return Some("the query ends with Sign, and RequestTime is missing: a proxy cut it off".to_owned());
    }
    if value == Some("") && DECIDING.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Some(format!("the query ends before the value of {name}: a proxy cut it off"));
    }
    let tail = ["CallbackCommand", "Sign", "RequestTime"];
    tail.into_iter()
        .all(is_missing)
        .then(|| format!("{} are missing: a proxy cut the query off", tail.join(", ")))
}

fn is_cut_hex(sign: &str) -> bool {
    sign.len() < 64 && sign.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether it is there, and cannot be read as a parameter. That is said elsewhere.
fn is_hidden(query: &str, name: &str) -> bool {
    query.to_ascii_lowercase().contains(&name.to_ascii_lowercase())
}
