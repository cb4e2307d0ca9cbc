//! Replays the fuzz targets' corpora, including past findings.

use std::fs;

use crate::checks;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = format!("{}/tests/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        count += 1;
    }
    assert!(count > 5, "{folder} has {count} files");
}

#[test]
fn queries() {
    replay("query", checks::query);
}

#[test]
fn events() {
    replay("event", checks::event);
}

#[test]
fn questions() {
    replay("decide", checks::decide);
}

#[test]
fn requests() {
    replay("handle", checks::handle);
}
