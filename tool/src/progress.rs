//! A bar on standard error, where that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

pub(crate) fn bar(length: u64, output: &Output) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), target(output));
    styled(bar, "{bar:30} {pos}/{len} sent, {per_sec}, {eta} left")
}

/// Without a known end.
pub(crate) fn spinner(output: &Output) -> ProgressBar {
    styled(ProgressBar::with_draw_target(None, target(output)), "{spinner} {pos} sent, {per_sec}, {elapsed}")
}

fn target(output: &Output) -> ProgressDrawTarget {
    // indicatif draws nothing where standard error is no terminal.
    if output.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
