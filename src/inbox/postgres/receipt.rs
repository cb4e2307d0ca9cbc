//! Completion in the handler's own transaction.

use crate::inbox::store::{Claim, Receipt, ReceiptValue};

/// Locks the event alone: a lock on its lane would make what arrives wait for the handler's transaction. When the event is not
/// there, or its lane was claimed by another worker, the cast fails with this text, and the transaction with it.
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
