//! `desk`: sends, plays, records, replays and explains callbacks of Tencent Cloud Desk, and operates a durable inbox.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod again;
mod age;
mod asked;
mod catalog;
mod cli;
mod client;
mod curl;
mod describe;
mod explain;
mod failure;
mod fields;
mod forward;
mod inbox;
mod listen;
mod output;
mod play;
mod progress;
mod quiet;
mod recording;
mod remedy;
mod replay;
mod send;
mod stop;
mod tally;
mod target;
mod text;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    cli::{Cli, Command},
    failure::Failure,
    output::Output,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.common.json);
    match run(cli, &output) {
        Ok(code) => code,
        Err(failure) => {
            output.fail(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli, output: &Output) -> Result<ExitCode, Failure> {
    let Cli { common, command } = cli;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
    let _entered = runtime.enter();
    match command {
        Command::Send(args) => runtime.block_on(send::run(&common, *args, output)),
        Command::Play(args) => runtime.block_on(play::run(&common, args, output)),
        Command::Listen(args) => runtime.block_on(listen::run(&common, args, output)),
        Command::Replay(args) => runtime.block_on(replay::run(&common, args, output)),
        Command::Inbox(args) => runtime.block_on(inbox::run(&common, args, output)),
        Command::Explain(args) => runtime.block_on(explain::run(&common, args, output)),
        Command::Completions { shell } => {
            cli::completions(shell);
            Ok(ExitCode::SUCCESS)
        }
    }
}
