//! Passes deliveries on.

use serde_json::json;

use crate::{
    again::Original,
    cli::Common,
    client::{Answer, Client},
    failure::Failure,
    output::{Colour, Output},
    remedy,
    target::Target,
    text::{printable, shortened},
};

/// Where events are passed on to. The sender's own answer does not depend on it.
pub(crate) struct Forward {
    client: Client,
    target: Target,
    token: Option<String>,
    output: Output,
}

impl Forward {
    pub(crate) fn new(target: Target, common: &Common, output: &Output) -> Result<Self, Failure> {
        let token = common.signing_token()?.map(ToOwned::to_owned);
        Ok(Self { client: Client::new(&target)?, target, token, output: *output })
    }

    /// `name` is the event's or the command's, `of` is the session or user that it belongs to.
    pub(crate) async fn pass_on(&self, original: Original<'_>, name: &str, of: &str) {
        let answer = match original.to(&self.target, None, self.token.as_deref()) {
            Ok(request) => self.client.send(request).await.map_err(|lost| lost.to_string()),
            Err(failure) => Err(failure.text().to_owned()),
        };
        if self.output.json {
            self.output.value(&json!({"forwarded": {
                "name": name, "of": of, "to": self.target.place(),
                "status": answer.as_ref().ok().map(|answer| answer.status.as_u16()),
                "ErrorCode": answer.as_ref().ok().and_then(Answer::error_code), "error": answer.as_ref().err(),
            }}));
            return;
        }
        let (colour, what) = match &answer {
            Ok(answer) if answer.is_accepted() => (Colour::Green, "accepted".to_owned()),
            Ok(answer) => {
                let code = answer.error_code();
                let reason = code
                    .and_then(remedy::of)
                    .map(|remedy| format!(" {}", remedy.reason()))
                    .unwrap_or_default();
                let code = code.map(|code| format!(", ErrorCode {code}{reason}")).unwrap_or_default();
                (Colour::Red, format!("refused with status {}{code}", answer.status.as_u16()))
            }
            Err(error) => (Colour::Red, format!("not answered: {error}")),
        };
        let of = printable(&shortened(of, 40));
        let what = self.output.paint(colour, &printable(&what));
        let name = printable(name);
        self.output.line(&format!("  {name} of {of} forwarded to {}: {what}", self.target.place()));
    }
}
