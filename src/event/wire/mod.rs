//! JSON: how events are read and written. The parent module has the model.
//!
//! A body is read in one lenient pass to its [`Fields`], which become an [`Event`](super::Event). Everything it nests shares one
//! [`Budget`] of memory and time. What serde_json cannot read at all is read again after [`mend`] has rewritten it.

mod fields;

mod record;

mod element;

mod lenient;

mod scalar;

mod list;

mod member;

mod object;

mod budget;

mod mend;

mod unknown;

mod variables;

mod error;

pub(super) use self::unknown::weigh;
// The tables of names stand beside the structs that they are about.
pub(crate) use self::{
    budget::Budget,
    error::ParseError,
    fields::{BYTE_ORDER_MARK, Fields, Origin, read_object},
    lenient::value,
    mend::mend,
    object::{Object, WriteMembers, deserialize, members, object, read, write},
    scalar::{ElementId, Id, Text},
    variables::Variables,
};
