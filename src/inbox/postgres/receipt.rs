//! Completion in the handler's own transaction.

use crate::inbox::store::{Claim, Receipt, ReceiptValue};

/// The statement locks the event alone: a lock on its lane would make appends wait for the handler's transaction. If the event is
/// gone, or another worker has claimed its lane, the cast fails with the text, and so does the transaction.
pub(super) fn receipt(schema: &str, claim: &Claim, id: i64, archive: bool) -> Receipt {
    let gone = format!(
        "WITH gone AS (DELETE FROM \"{schema}\".event USING \"{schema}\".lane \
         WHERE event.id = $1 AND lane.lane = event.lane AND lane.lane = $2 AND lane.epoch = $3 \
         RETURNING event.id, event.lane, event.stored, event.json)"
    );
    let kept = if archive {
        format!(
            ", kept AS (INSERT INTO \"{schema}\".archive (id, lane, stored, json) \
             SELECT id, lane, stored, json FROM gone)"
        )
    } else {
        String::new()
    };
    let sql = format!(
        "{gone}{kept} SELECT (CASE WHEN count(*) = 1 THEN '1' \
         ELSE 'this event is not held by this delivery any more' END)::integer FROM gone"
    );
    let params = vec![
        ReceiptValue::Int(id),
        ReceiptValue::Bytes(claim.lane.0.to_vec()),
        ReceiptValue::Int(claim.epoch),
    ];
    Receipt::new(sql, params)
}
