//! Elements of no known type: their JSON, as a `Value` where that is no larger than the budget allows.

use memchr::memchr2;
use serde_json::Value;

use super::budget::Budget;

/// The JSON of an element. What would take too much memory, or is nested deeper than [`DEPTH_LIMIT`], is a string that has the
/// JSON text.
///
/// # Errors
///
/// When it holds what no `Value` can.
pub(super) fn unknown(json: &str, budget: &mut Budget) -> serde_json::Result<Value> {
    let Weight { bytes, depth } = weigh(json);
    if depth <= DEPTH_LIMIT && budget.take_bytes(bytes) {
        serde_json::from_str(json)
    } else {
        Ok(Value::String(json.to_owned()))
    }
}

/// What a `Value` made of JSON takes, and how deep it is nested.
pub(crate) struct Weight {
    pub(crate) bytes: usize,
    depth: usize,
}

pub(crate) fn weigh(json: &str) -> Weight {
    let (mut bytes, mut depth, mut deepest) = (json.len(), 0_usize, 0);
    let mut rest = json.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => rest = behind_text(behind),
            b'[' => (bytes, depth) = (bytes + LIST, depth + 1),
            b'{' => (bytes, depth) = (bytes + OBJECT, depth + 1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => bytes += ITEM,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    Weight { bytes, depth: deepest }
}

/// What is behind the text that has begun.
fn behind_text(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let is_end = rest[at] == b'"';
        rest = rest.get(at + if is_end { 1 } else { 2 }..).unwrap_or_default();
        if is_end {
            break;
        }
    }
    rest
}

/// An event with such an element in relays, inside whatever the program puts it into, is still below the 127 levels that
/// serde_json reads.
const DEPTH_LIMIT: usize = 64;

/// The first four items, and room for as many again while a list grows.
const LIST: usize = 256;

/// A node of a `Map` has room for eleven members.
const OBJECT: usize = 704;

/// An item of a growing list, or a member of an object with its share of a node.
const ITEM: usize = 128;
