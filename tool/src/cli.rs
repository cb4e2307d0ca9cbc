//! The arguments.

use std::io;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use tencent_desk_webhook::{testing::APP, webhook::Token};

use crate::{explain, failure::Failure, inbox, listen, play, replay, send};

/// Sends, plays, records, replays and explains callbacks of Tencent Cloud Desk, and operates a durable inbox.
///
/// Exit status: 0, 1 if a receiver refused or something failed, 2 for wrong usage.
#[derive(Debug, Parser)]
#[command(name = "desk", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args)]
pub(crate) struct Common {
    /// Callback token; without one, nothing is signed or checked. Several are all live, and the first one signs
    #[arg(long, global = true, env = "DESK_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Vec<String>,
    /// SDKAppID [default: 1400000000]
    #[arg(long, global = true, env = "DESK_SDK_APP_ID", value_name = "NUMBER")]
    app: Option<u64>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Without the tokens.
impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common").field("app", &self.app).field("json", &self.json).finish_non_exhaustive()
    }
}

impl Common {
    /// The app that was named, or the one of the test kit and the examples.
    pub(crate) fn app(&self) -> u64 {
        self.app.unwrap_or(APP)
    }

    /// The app, if one was named.
    pub(crate) fn named_app(&self) -> Option<u64> {
        self.app
    }

    /// The tokens as they were given, also those that are none.
    pub(crate) fn given_tokens(&self) -> &[String] {
        &self.token
    }

    /// The tokens, the one that signs first.
    pub(crate) fn tokens(&self) -> Result<&[String], Failure> {
        for token in &self.token {
            Token::new(token)
                .map_err(|invalid| Failure::Usage(format!("--token or DESK_TOKEN: {invalid}")))?;
        }
        Ok(&self.token)
    }

    /// The token that signs.
    pub(crate) fn signing_token(&self) -> Result<Option<&str>, Failure> {
        Ok(self.tokens()?.first().map(String::as_str))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send one delivery, signed if there is a token, and explain the answer
    Send(Box<send::SendArgs>),
    /// Play whole sessions and report how the receiver does
    Play(play::PlayArgs),
    /// Receive deliveries, verify them and print a line for each event
    Listen(listen::ListenArgs),
    /// Send a recording again, signed anew, in order per session
    Replay(replay::ReplayArgs),
    /// Say what a receiver decides about a callback URL or a line of an access log, and why
    Explain(explain::ExplainArgs),
    /// Operate an inbox while receivers and workers run
    Inbox(inbox::InboxArgs),
    /// Print a completion script
    Completions {
        /// The shell
        shell: Shell,
    },
}

pub(crate) fn completions(shell: Shell) {
    // Into memory first, because clap_complete panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "desk", &mut script);
    let _ = io::Write::write_all(&mut io::stdout(), &script);
}
