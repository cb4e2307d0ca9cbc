//! Which events are being handled, in the lock file: it survives the end of the process, and costs no sync.
//!
//! A loss of power may leave what was there before; so the table also says which run of the inbox and of the machine has
//! written it. A table that cannot be written only means that a crash is not counted.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io,
};

use crate::inbox::store::Claim;

/// Of the header and of each slot: two numbers.
const SIZE: usize = 16;

/// Slots that are there from the beginning, so that a full disk does not matter.
const SLOTS: usize = 255;

#[derive(Clone, Copy, Debug)]
struct Slot {
    number: usize,
    id: i64,
}

pub(super) struct Slots {
    file: File,
    running: HashMap<Claim, Slot>,
    /// Beside whose handler nothing else was handled since it has started.
    alone: Option<Claim>,
    free: Vec<usize>,
    count: usize,
}

/// What the last run has left.
pub(super) struct Left {
    pub(super) run: i64,
    /// The events that were being handled, and whether each was the only one.
    pub(super) running: Vec<(i64, bool)>,
}

impl Slots {
    /// Reads the table; nothing of it is from before the machine's start.
    pub(super) fn read(file: &File) -> Left {
        let mut bytes = Vec::new();
        let length = file.metadata().map_or(0, |about| about.len());
        bytes.resize(usize::try_from(length).unwrap_or(0).min(1 << 20), 0);
        if read_at(file, &mut bytes).is_err() {
            bytes.clear();
        }
        let mut pairs = bytes.chunks_exact(SIZE).map(pair);
        let Some((run, _)) = pairs.next().filter(|(_, machine)| *machine == this_machine_run()) else {
            return Left { run: -1, running: Vec::new() };
        };
        Left { run, running: pairs.filter(|(id, _)| *id != 0).map(|(id, alone)| (id, alone != 0)).collect() }
    }

    /// An empty table, for this run.
    pub(super) fn start(file: File, run: i64) -> Self {
        let slots = Self { file, running: HashMap::new(), alone: None, free: Vec::new(), count: 0 };
        let mut table = vec![0; SIZE * (1 + SLOTS)];
        table[..8].copy_from_slice(&run.to_le_bytes());
        table[8..SIZE].copy_from_slice(&this_machine_run().to_le_bytes());
        let _ = slots.file.set_len(table.len() as u64);
        let _ = write_at(&slots.file, &table, 0);
        slots
    }

    /// The event takes the place of the one that this claim has started before: one write for each, as long as a lane goes on.
    pub(super) fn started(&mut self, claim: Claim, id: i64) {
        let before = self.running.get(&claim).copied();
        if before.is_some_and(|slot| slot.id == id) {
            return;
        }
        let alone = self.running.len() == usize::from(before.is_some());
        if let Some(other) = self.alone.take().filter(|other| *other != claim)
            && let Some(slot) = self.running.get(&other).copied()
        {
            self.write(slot, slot.id, false);
        }
        self.alone = alone.then_some(claim);
        let number = before.map(|slot| slot.number).or_else(|| self.free.pop());
        let number = number.unwrap_or_else(|| {
            self.count += 1;
            self.count
        });
        let slot = Slot { number, id };
        self.running.insert(claim, slot);
        self.write(slot, id, alone);
    }

    pub(super) fn ended(&mut self, claim: Claim, id: i64) {
        if let Entry::Occupied(slot) = self.running.entry(claim)
            && slot.get().id == id
        {
            let slot = slot.remove();
            self.alone = self.alone.filter(|alone| *alone != claim);
            self.write(slot, 0, false);
            self.free.push(slot.number);
        }
    }

    fn write(&self, slot: Slot, id: i64, alone: bool) {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&id.to_le_bytes());
        bytes[8..].copy_from_slice(&i64::from(alone).to_le_bytes());
        let _ = write_at(&self.file, &bytes, (slot.number * SIZE) as u64);
    }
}

fn pair(bytes: &[u8]) -> (i64, i64) {
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_le_bytes);
    (number(&bytes[..8]), number(&bytes[8..]))
}

/// Another number after each start of the machine, where the system has one.
fn this_machine_run() -> i64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex: String = id.chars().filter(char::is_ascii_hexdigit).take(15).collect();
    i64::from_str_radix(&hex, 16).unwrap_or(0)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Crashes are counted on Unix alone.
#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn write_at(_: &File, _: &[u8], _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::File;

    use super::{Claim, SIZE, Slots, write_at};
    use crate::inbox::store::LaneKey;

    fn claim(epoch: i64) -> Claim {
        Claim { lane: LaneKey([0; 16]), epoch }
    }

    fn table(name: &str) -> File {
        let path = std::env::temp_dir().join(format!("desk-slots-{}-{name}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }

    fn left(file: &File) -> (i64, Vec<(i64, bool)>) {
        let left = Slots::read(file);
        (left.run, left.running)
    }

    #[test]
    fn it_has_what_was_running_and_what_ran_alone() {
        let file = table("running");
        assert_eq!(left(&file), (-1, vec![]), "a lock file of the first release is empty");
        let mut slots = Slots::start(file.try_clone().unwrap(), 7);
        slots.started(claim(10), 10);
        assert_eq!(left(&file), (7, vec![(10, true)]));
        slots.started(claim(11), 11);
        assert_eq!(left(&file), (7, vec![(10, false), (11, false)]));
        slots.ended(claim(10), 10);
        slots.ended(claim(10), 10);
        assert_eq!(left(&file), (7, vec![(11, false)]), "it was not alone all the time");
        slots.ended(claim(11), 11);
        slots.started(claim(12), 12);
        assert_eq!(left(&file), (7, vec![(12, true)]));
        slots.started(claim(12), 13);
        assert_eq!(left(&file), (7, vec![(13, true)]), "the next of its lane");
        slots.ended(claim(12), 12);
        slots.started(claim(12), 12);
        let many = 20..1020;
        many.clone().for_each(|id| slots.started(claim(id), id));
        assert_eq!(left(&file).1.len(), 1001);
        many.for_each(|id| slots.ended(claim(id), id));
        assert_eq!(left(&file).1, [(12, false)]);
        Slots::start(file.try_clone().unwrap(), 8);
        assert_eq!(left(&file), (8, vec![]));
    }

    /// After a loss of power the file may have any old contents.
    #[test]
    fn a_table_from_before_the_machines_start_says_nothing() {
        let file = table("machine");
        let mut slots = Slots::start(file.try_clone().unwrap(), 7);
        slots.started(claim(10), 10);
        write_at(&file, &[9; SIZE / 2], SIZE as u64 / 2).unwrap();
        assert_eq!(left(&file), (-1, vec![]));
    }
}
