//! Which events are being handled, in the lock file: it survives the end of the process, and costs no sync.
//!
//! After a loss of power the file may have any earlier contents, so its header says which run of the inbox and of the machine
//! has written it. If it cannot be written, crashes are not counted.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::inbox::store::Claim;

/// Of the header and of each slot: two numbers.
const SIZE: usize = 16;

/// Slots that are there from the beginning, so that a full disk does not matter.
const SLOTS: usize = 255;

/// Each claim has a slot of its own, with the event that is being handled, or 0, and the number of the change that said so. It
/// is written outside of the lock.
pub(super) struct Slots {
    file: File,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    running: HashMap<Claim, Slot>,
    free: Vec<usize>,
    slots: usize,
    changes: i64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    number: usize,
    id: i64,
}

/// What the last run has left.
pub(super) struct Left {
    pub(super) run: i64,
    /// The events that were being handled, and whether nothing else was since each has started.
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
        let slots: Vec<(i64, i64)> = pairs.collect();
        // Others have ended before it has started.
        let is_alone = |(id, change)| {
            slots.iter().all(|(other, ended)| *other == id || (*other == 0 && *ended < change))
        };
        let running = slots.iter().filter(|(id, _)| *id != 0);
        Left { run, running: running.map(|slot| (slot.0, is_alone(*slot))).collect() }
    }

    /// An empty table, for this run.
    pub(super) fn start(file: File, run: i64) -> Self {
        let mut empty = vec![0; SIZE * (1 + SLOTS)];
        empty[..8].copy_from_slice(&run.to_le_bytes());
        empty[8..SIZE].copy_from_slice(&this_machine_run().to_le_bytes());
        let _ = file.set_len(empty.len() as u64);
        let _ = write_at(&file, &empty, 0);
        Self { file, table: Mutex::default() }
    }

    /// The event takes the place of the one that this claim has started before: one write for each, as long as a lane goes on.
    pub(super) fn started(&self, claim: Claim, id: i64) {
        let mut guard = self.table();
        let table = &mut *guard;
        let number = match table.running.entry(claim) {
            Entry::Occupied(slot) if slot.get().id == id => return,
            Entry::Occupied(mut slot) => {
                slot.get_mut().id = id;
                slot.get().number
            }
            Entry::Vacant(running) => {
                let number = table.free.pop().unwrap_or_else(|| {
                    table.slots += 1;
                    table.slots
                });
                running.insert(Slot { number, id });
                number
            }
        };
        let change = table.next_change();
        drop(guard);
        self.write(number, id, change);
    }

    pub(super) fn ended(&self, claim: Claim, id: i64) {
        let mut table = self.table();
        let Entry::Occupied(slot) = table.running.entry(claim) else { return };
        if slot.get().id != id {
            return;
        }
        let number = slot.remove().number;
        let change = table.next_change();
        drop(table);
        self.write(number, 0, change);
        self.table().free.push(number);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, number: usize, id: i64, change: i64) {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&id.to_le_bytes());
        bytes[8..].copy_from_slice(&change.to_le_bytes());
        let _ = write_at(&self.file, &bytes, (number * SIZE) as u64);
    }
}

impl Table {
    fn next_change(&mut self) -> i64 {
        self.changes += 1;
        self.changes
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
        let slots = Slots::start(file.try_clone().unwrap(), 7);
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
        let slots = Slots::start(file.try_clone().unwrap(), 7);
        slots.started(claim(10), 10);
        write_at(&file, &[9; SIZE / 2], SIZE as u64 / 2).unwrap();
        assert_eq!(left(&file), (-1, vec![]));
    }
}
