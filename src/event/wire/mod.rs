//! JSON: how events are read and written. The parent module has the model.
//!
//! A body is read in one lenient pass to its [`Fields`], which become an [`Event`](super::Event). Everything it nests shares one
//! [`Budget`] of memory and time. What serde_json cannot read at all is read again after [`mend`] has rewritten it.

mod fields;

mod record;

mod element;

mod lenient;

mod list;

mod member;

mod object;

mod budget;

mod mend;

mod unknown;

mod variables;

mod error;

// For the tables of names, which stand beside the structs that they are about.
pub(super) use self::unknown::weigh;
pub(crate) use self::{
    budget::Budget,
    error::ParseError,
    fields::{BYTE_ORDER_MARK, COMMAND, Fields, Origin, read_object},
    lenient::{ElementId, Id, Text, value},
    mend::mend,
    object::{Object, deserialize, object, read, write},
    variables::Variables,
};
