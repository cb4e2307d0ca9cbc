//! Completion in the handler's own transaction.

/// One SQL statement, which records an event as done in the transaction that executes it.
///
/// Execute it as the last statement before the commit, in the same PostgreSQL database or SQLite file, through any driver.
/// It fails if the event is not held any more by this delivery: then roll back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The statement, with placeholders `$1`, `$2`… for PostgreSQL and `?1`, `?2`… for SQLite.
    pub sql: String,
    /// The parameters, in order.
    pub params: Vec<ReceiptValue>,
}

impl Receipt {
    /// For engines.
    #[must_use]
    pub fn new(sql: String, params: Vec<ReceiptValue>) -> Self {
        Self { sql, params }
    }
}

/// A parameter of a [`Receipt`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // users bind each
pub enum ReceiptValue {
    /// `bigint` in PostgreSQL, an integer in SQLite.
    Int(i64),
    /// `bytea` in PostgreSQL, a blob in SQLite.
    Bytes(Vec<u8>),
}
