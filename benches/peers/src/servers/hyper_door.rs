//! The library on bare hyper.

use std::time::Duration;

use super::{handler::webhook, serving::serve_hyper};
use crate::Result;

pub(super) async fn serve(delay: Duration) -> Result<()> {
    serve_hyper(webhook(delay)).await
}
