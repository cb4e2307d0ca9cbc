//! A file of events, one record a line, as serde gives it.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

use tencent_desk_webhook::Event;

use crate::failure::Failure;

/// Appends events. A line is there as a whole or not at all.
pub(crate) struct Recorder(Mutex<File>);

impl Recorder {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let open = || {
            let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
            end_line(&mut file)?;
            Ok(Self(Mutex::new(file)))
        };
        open().map_err(|error: io::Error| {
            Failure::Failed(format!("{} cannot be recorded to: {error}", path.display()))
        })
    }

    pub(crate) fn record(&self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = file.metadata()?.len();
        let written = file.write_all(&line);
        if written.is_err() {
            // A disk that is full may have taken a part of it.
            file.set_len(length)?;
        }
        written
    }

    /// Waits until the disk has everything.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sync_all()
    }
}

/// A crash can cut off the last line of an earlier recording.
fn end_line(file: &mut File) -> io::Result<()> {
    let mut last = [b'\n'];
    if file.metadata()?.is_file() && file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// What a file holds.
#[derive(Default)]
pub(crate) struct Recording {
    pub(crate) events: Vec<Event>,
    /// The lines that are no events, by number, with the reason.
    pub(crate) broken: Vec<(usize, String)>,
}

pub(crate) fn read(path: &Path) -> Result<Recording, Failure> {
    let cannot = |error: io::Error| Failure::Failed(format!("{} cannot be read: {error}", path.display()));
    let mut recording = Recording::default();
    let mut lines = BufReader::new(File::open(path).map_err(cannot)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(cannot)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(event) => recording.events.push(event),
            Err(error) => recording.broken.push((number, error.to_string())),
        }
    }
    Ok(recording)
}
