//! What an `ErrorCode` means.

use tencent_desk_webhook::Refusal;

pub(crate) fn of(code: i64) -> Option<Refusal> {
    Refusal::all().find(|refusal| i64::from(refusal.code()) == code)
}
