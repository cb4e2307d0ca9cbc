//! How much memory and time the typed parts of one event may take, whatever its body nests.
//!
//! An element of three bytes on the wire takes 240 in memory, and each relay around a text can make it be read once more. So all
//! parts of an event share one budget that grows with the size of its body. What exceeds it is in
//! [`Event::raw`](crate::event::Event::raw) alone.

/// What is left for the parts that are still to come.
#[derive(Debug)]
pub(crate) struct Budget {
    parts: usize,
    bytes: usize,
    levels: usize,
    rereads: usize,
    reading: Reading,
}

/// How elements are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Where they stand. One of no known type or shape is an error.
    InPlace,
    /// Cut out first, so that one of no known type or shape can be kept as it is.
    CutOut,
}

impl Budget {
    pub(super) fn of(body: &str, reading: Reading) -> Self {
        Self {
            parts: PARTS,
            bytes: body.len().saturating_mul(BYTES_PER_BYTE) + FIRST_BYTES,
            levels: LEVELS,
            rereads: body.len().saturating_mul(REREADS) + FIRST_REREADS,
            reading,
        }
    }

    /// For what the program itself deserializes: it is in memory already.
    pub(super) fn unlimited() -> Self {
        Self {
            parts: usize::MAX,
            bytes: usize::MAX,
            levels: LEVELS,
            rereads: usize::MAX,
            reading: Reading::CutOut,
        }
    }

    /// Takes what one more part of this type needs in a list. `false`: there is too little left.
    pub(super) fn take<T>(&mut self) -> bool {
        self.parts > 0 && self.take_bytes(2 * size_of::<T>()) && {
            self.parts -= 1;
            true
        }
    }

    /// Gives back what was taken for a part that is none.
    pub(super) fn give_back<T>(&mut self) {
        self.parts += 1;
        self.bytes += 2 * size_of::<T>();
    }

    pub(super) fn take_bytes(&mut self, bytes: usize) -> bool {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(self.bytes);
        left.is_some()
    }

    pub(super) fn reading(&self) -> Reading {
        self.reading
    }

    /// Takes the time to read `json`, which was cut out, once more.
    pub(super) fn take_reread(&mut self, json: &str) -> bool {
        let left = self.rereads.checked_sub(json.len());
        self.rereads = left.unwrap_or(self.rereads);
        left.is_some()
    }

    /// Goes down into a relay. `false`: there are too many relays around it.
    pub(super) fn enter_relay(&mut self) -> bool {
        let below = self.levels.checked_sub(1);
        self.levels = below.unwrap_or(self.levels);
        below.is_some()
    }

    pub(super) fn leave_relay(&mut self) {
        self.levels += 1;
    }
}

/// Adds `item` in little steps: a list that doubles needs three times its size while it grows.
pub(super) fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 1);
    }
    list.push(item);
}

/// Far above any message that a person sends.
const PARTS: usize = 1000;

/// With what a growing list and the texts need beside it, an event stays below 16 times its body's size.
const BYTES_PER_BYTE: usize = 10;

const FIRST_BYTES: usize = 4 * 1024;

const LEVELS: usize = 8;

/// With what reading takes besides, an event stays below ten times what a `serde_json::Value` of its body costs.
const REREADS: usize = 4;

const FIRST_REREADS: usize = 16 * 1024;
