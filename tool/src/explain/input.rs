//! What is asked about: a URL, or the request in a line of an access log.

use std::time::SystemTime;

use http::Method;
use serde_json::Value;

/// A request, as far as its URL shows it.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    /// When the log's line was written.
    pub(super) logged: Option<SystemTime>,
}

impl Asked {
    pub(super) fn read(input: &str) -> Result<Self, String> {
        let input = input.trim();
        if input.is_empty() {
            return Err(
                "there is nothing to explain: it has to be a URL or a line of an access log".to_owned()
            );
        }
        let is_url = ["http://", "https://", "/", "?"].iter().any(|start| starts_with(input, start));
        if is_url {
            return Ok(Self { method: Method::POST, target: target(input), logged: None });
        }
        match serde_json::from_str(input) {
            Ok(record @ Value::Object(_)) => Self::of_record(&record),
            _ => Self::of_line(input),
        }
        .ok_or_else(|| "neither a URL nor a request of an access log is in it".to_owned())
    }

    pub(super) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// A line such as those of nginx and Apache: "POST /path?query HTTP/1.1" is somewhere in it.
    fn of_line(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split([' ', '\t', '"', '\'']).filter(|word| !word.is_empty()).collect();
        let logged = line_time(line);
        let request = words.windows(2).find_map(|pair| {
            let method = known_method(pair[0])?;
            is_target(pair[1]).then(|| (method, pair[1]))
        });
        let (method, word) = request.or_else(|| {
            let looks = |word: &&&str| is_target(word) && word.contains('?') || word.contains("SdkAppid=");
            words.iter().find(looks).map(|word| (Method::POST, *word))
        })?;
        Some(Self { method, target: target(&unescaped(word)), logged })
    }

    /// A line that is a JSON object, such as Caddy's and many proxies'.
    fn of_record(record: &Value) -> Option<Self> {
        let mut texts = Vec::new();
        collect(record, "", &mut texts);
        let logged = texts.iter().find_map(|(name, text)| {
            let is_time =
                ["ts", "time", "timestamp", "@timestamp", "time_iso8601", "time_local", "msec", "start_time"];
            is_time.contains(&name.as_str()).then(|| moment(text)).flatten()
        });
        let method = texts.iter().find_map(|(name, text)| {
            let is_method = ["method", "request_method", "verb", "httpmethod"].contains(&name.as_str());
            is_method.then(|| known_method(text)).flatten()
        });
        let by_line = texts.iter().find_map(|(_, text)| Self::of_line(text).filter(|_| text.contains(' ')));
        if let Some(asked) = by_line {
            return Some(Self { logged, ..asked });
        }
        let found = texts.iter().find(|(_, text)| is_target(text) && text.contains('?'));
        let separate = || {
            let (_, query) =
                texts.iter().find(|(name, _)| ["query", "query_string", "args"].contains(&name.as_str()))?;
            let query = query.strip_prefix('?').unwrap_or(query);
            Some(format!("/?{query}"))
        };
        let plain = || texts.iter().find(|(_, text)| is_target(text)).map(|(_, text)| text.clone());
        let found = found.map(|(_, text)| text.clone()).or_else(separate).or_else(plain)?;
        Some(Self { method: method.unwrap_or(Method::POST), target: target(&found), logged })
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

fn is_target(word: &str) -> bool {
    ["http://", "https://", "/"].iter().any(|start| starts_with(word, start))
}

/// Path and query of a URL; what comes behind # is sent to no server.
fn target(url: &str) -> String {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            let at = rest.find(['/', '?']).unwrap_or(rest.len());
            &rest[at..]
        }
        _ => url,
    };
    if rest.starts_with('/') {
        rest.to_owned()
    } else if rest.starts_with('?') || rest.is_empty() {
        format!("/{rest}")
    } else {
        format!("/?{rest}")
    }
}

fn known_method(word: &str) -> Option<Method> {
    let known = [
        Method::POST,
        Method::GET,
        Method::PUT,
        Method::HEAD,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    known.into_iter().find(|method| method.as_str() == word)
}

/// `\xHH`, as nginx and Apache write what is no printable ASCII.
fn unescaped(word: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = word_escape(rest);
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[4..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn word_escape(rest: &[u8]) -> Option<u8> {
    let [b'\\', b'x', high, low, ..] = rest else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

fn collect(value: &Value, name: &str, texts: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => texts.push((name.to_ascii_lowercase(), text.clone())),
        Value::Number(number) => texts.push((name.to_ascii_lowercase(), number.to_string())),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(value, name, texts)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, texts)),
        _ => {}
    }
}

fn line_time(line: &str) -> Option<SystemTime> {
    let bracketed = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(time, _)| time);
    bracketed.and_then(moment).or_else(|| line.split_whitespace().find_map(moment))
}

/// A time with an offset: in the common log format, in RFC 3339, or as Unix seconds with a fraction.
fn moment(text: &str) -> Option<SystemTime> {
    let common =
        jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).and_then(|time| time.to_timestamp()).ok();
    let unix = || {
        let seconds = text.parse::<f64>().ok().filter(|seconds| (1e9..1e10).contains(seconds))?;
        jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()
    };
    let rfc = || text.parse::<jiff::Timestamp>().ok();
    common.or_else(rfc).or_else(unix).map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn asked(input: &str) -> (String, String, Option<u64>) {
        let asked = Asked::read(input).unwrap();
        let logged = asked.logged.map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs());
        (asked.method.to_string(), asked.target, logged)
    }

    #[test]
    fn a_request_is_found_in_urls_and_in_the_lines_of_common_servers() {
        let post = |target: &str, time| ("POST".to_owned(), target.to_owned(), time);
        assert_eq!(asked("https://h.example/cb?a=1#x"), post("/cb?a=1", None));
        assert_eq!(asked("https://h.example?a=1"), post("/?a=1", None));
        assert_eq!(asked("/cb?a=http://x"), post("/cb?a=http://x", None));
        assert_eq!(asked("SdkAppid=1&Sign=2"), post("/?SdkAppid=1&Sign=2", None));
        let nginx =
            r#"10.0.0.1 - - [25/Nov/2026:08:35:33 +0000] "POST /cb?a=%22\x22 HTTP/1.1" 401 123 "-" "-""#;
        assert_eq!(asked(nginx), post("/cb?a=%22\"", Some(1_795_595_733)));
        let get = r#"10.0.0.1 - - [25/Nov/2026:09:35:33 +0100] "GET /cb HTTP/1.1" 405 1"#;
        assert_eq!(asked(get), ("GET".to_owned(), "/cb".to_owned(), Some(1_795_595_733)));
        let caddy = r#"{"ts":1795595733.5,"request":{"method":"POST","host":"h","uri":"/cb?a=1\u0026b=2"},"status":401}"#;
        assert_eq!(asked(caddy), post("/cb?a=1&b=2", Some(1_795_595_733)));
        let json = r#"{"time":"2026-11-25T08:35:33+00:00","request":"POST /cb?a=1 HTTP/1.1","status":"401"}"#;
        assert_eq!(asked(json), post("/cb?a=1", Some(1_795_595_733)));
        let traefik = "2026-11-25T08:35:33Z 10.0.0.1 POST /cb?a=1 401 3ms";
        assert_eq!(asked(traefik), post("/cb?a=1", Some(1_795_595_733)));
        let _ = Duration::ZERO;
        assert!(Asked::read("nothing of the kind").is_err());
        assert!(Asked::read(" ").is_err());
    }
}
