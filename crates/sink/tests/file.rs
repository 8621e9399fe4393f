//! Opening files for events, and what it leaves behind.

#![allow(clippy::unwrap_used)]

use std::fs;

use event::Event;
use sink::{EventThread, FileSink, OpenMode, Options, Overflow};

/// Writes one event to `file`.
fn write_one(file: FileSink) {
    let thread = EventThread::spawn(file, Options::new(Overflow::Wait), |notice| panic!("{notice}")).unwrap();
    thread.producer().push(Event::Stats(Box::default()));
    assert_eq!(thread.finish().unwrap().events_written, 1);
}

fn line() -> String {
    let mut line = Vec::new();
    Event::Stats(Box::default()).encode(&mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn replace_empties_and_append_continues() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eve.json");
    for (mode, lines) in [(OpenMode::Replace, 1), (OpenMode::Append, 2), (OpenMode::Replace, 1)] {
        write_one(FileSink::open(&path, mode).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), line().repeat(lines), "{mode:?}");
    }
}

#[test]
fn append_ends_the_partial_line_of_a_killed_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eve.json");
    fs::write(&path, format!("{}{{\"timest", line())).unwrap();
    write_one(FileSink::open(&path, OpenMode::Append).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}{{\"timest\n{}", line(), line()));
}

#[test]
fn what_cannot_be_opened_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::write(place.join("file"), "text").unwrap();
    for (path, says, advice) in [
        (place.to_owned(), "is a directory", "name a file in it"),
        (place.join("missing/eve.json"), "does not exist", "mkdir -p"),
        (place.join("file/eve.json"), "not a directory", "choose another"),
    ] {
        let error = FileSink::open(&path, OpenMode::Replace).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert!(error.contains(says) && error.contains(advice), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
    assert_eq!(fs::read_dir(place).unwrap().count(), 1, "a failed open left something behind");
    assert_eq!(fs::read_to_string(place.join("file")).unwrap(), "text");
}
