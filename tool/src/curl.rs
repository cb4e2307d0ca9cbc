//! A delivery as a command for a shell.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::failure::Failure;

/// `curl` with everything quoted, so that it can be pasted.
pub(crate) fn command(request: &Request<Full<Bytes>>, body: &Bytes) -> Result<String, Failure> {
    let body = str::from_utf8(body)
        .ok()
        .filter(|body| !body.contains('\0'))
        .ok_or_else(|| Failure::Failed("the body is not text, and no command line can hold it".to_owned()))?;
    let mut command =
        format!("curl -i --globoff -X {} {}", request.method(), quoted(&request.uri().to_string()));
    if !request.headers().contains_key("content-type") {
        command += " -H 'Content-Type: application/json'";
    }
    for (name, value) in request.headers() {
        command +=
            &format!(" -H {}", quoted(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))));
    }
    // `--data-binary` would read a file if the body began with `@`.
    Ok(command + " --data-raw " + &quoted(body))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
