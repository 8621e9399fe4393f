//! Events from producers to a file.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event::{Event, FlowEnd, FlowRecord, FlowState, Label, Ports, Verdict, Volume};
use serde_json::Value;
use sink::{EventThread, FileSink, FinishError, LossReason, Notice, OpenMode, Options, Overflow, Producer};

/// Flow number `number` of producer `producer`.
fn event(producer: u64, number: u64) -> Event {
    let label = Label::new("t\"\n").unwrap();
    Event::Flow(FlowRecord {
        timestamp_us: 0,
        flow_id: number,
        vlans: [None, None],
        src_ip: [10, 0, 0, 1].into(),
        dest_ip: [10, 0, 0, 2].into(),
        protocol: event::protocol::UDP,
        ports: Ports::Pair { src: 1, dest: 2 },
        app_proto: None,
        to_server: Volume { packets: producer, bytes: 0 },
        to_client: Volume::default(),
        start_us: 0,
        end_us: 0,
        state: FlowState::New,
        reason: FlowEnd::Shutdown,
        alerted: false,
        community_id_seed: None,
        tcp: None,
        tenant: label,
        verdict: Verdict::Pipeline(label),
    })
}

fn push_numbered(mut producer: Producer, id: u64, events: u64) {
    (0..events).for_each(|number| producer.push(event(id, number)));
}

/// What each producer's events are numbered, in the file's order. Every line must be whole and valid.
fn numbers_by_producer(path: &Path) -> BTreeMap<u64, Vec<u64>> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the file ends in a partial line");
    let mut numbers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let producer = value["flow"]["pkts_toserver"].as_u64().unwrap();
        numbers.entry(producer).or_default().push(value["flow_id"].as_u64().unwrap());
    }
    numbers
}

fn tiny(overflow: Overflow) -> Options {
    Options { overflow, batch_events: 7, batches_max: 2, flush_interval: Duration::from_millis(5) }
}

type Notices = Arc<Mutex<Vec<String>>>;

fn recording(notices: &Notices) -> impl FnMut(Notice) + Send + 'static {
    let notices = Arc::clone(notices);
    move |notice| notices.lock().unwrap().push(notice.to_string())
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn waiting_producers_lose_nothing_and_keep_their_order() {
    const EVENTS: u64 = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eve.json");
    let file = FileSink::open(&path, OpenMode::Replace).unwrap();
    let thread = EventThread::spawn(file, tiny(Overflow::Wait), |notice| panic!("{notice}")).unwrap();
    std::thread::scope(|scope| {
        for id in 0..4 {
            let producer = thread.producer();
            scope.spawn(move || push_numbered(producer, id, EVENTS));
        }
    });
    let totals = thread.finish().unwrap();
    assert_eq!(totals.events_written, 4 * EVENTS);
    assert_eq!(totals.events_lost.total(), 0);
    assert_eq!(totals.bytes_written, fs::metadata(&path).unwrap().len());
    let numbers = numbers_by_producer(&path);
    assert_eq!(numbers.len(), 4);
    for (producer, numbers) in numbers {
        assert!(numbers.iter().copied().eq(0..EVENTS), "producer {producer} lost events or their order");
    }
}

#[test]
fn dropping_producers_count_exactly_what_they_lose() {
    const EVENTS: u64 = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eve.json");
    let file = FileSink::open(&path, OpenMode::Replace).unwrap();
    let thread = EventThread::spawn(file, tiny(Overflow::Drop), |notice| panic!("{notice}")).unwrap();
    std::thread::scope(|scope| {
        for id in 0..3 {
            let producer = thread.producer();
            scope.spawn(move || push_numbered(producer, id, EVENTS));
        }
    });
    let totals = thread.finish().unwrap();
    let lost = totals.events_lost.of(LossReason::QueueFull);
    assert_eq!(totals.events_written + lost, 3 * EVENTS);
    assert_eq!(totals.events_lost.total(), lost);
    assert!(lost > 0, "a queue of two batches was never full");
    let numbers = numbers_by_producer(&path);
    assert_eq!(numbers.values().map(|numbers| numbers.len() as u64).sum::<u64>(), totals.events_written);
    for numbers in numbers.values() {
        assert!(numbers.is_sorted(), "a producer's events changed their order");
    }
}

#[test]
fn a_partial_batch_is_written_within_the_flush_interval() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eve.json");
    let file = FileSink::open(&path, OpenMode::Replace).unwrap();
    let thread = EventThread::spawn(file, tiny(Overflow::Drop), |notice| panic!("{notice}")).unwrap();
    let mut producer = thread.producer();
    producer.push(event(0, 0));
    producer.flush();
    wait_until("the event in the file", || fs::metadata(&path).unwrap().len() > 0);
    drop(producer);
    assert_eq!(thread.finish().unwrap().events_written, 1);
}

#[test]
fn a_full_disk_is_told_once_counted_and_never_waited_for() {
    let notices = Notices::default();
    let file = FileSink::open("/dev/full", OpenMode::Append).unwrap();
    let thread = EventThread::spawn(file, tiny(Overflow::Wait), recording(&notices)).unwrap();
    let mut producer = thread.producer();
    let mut sent = 0;
    // Several writes fail, not one.
    for round in 0..3 {
        for _ in 0..7 {
            producer.push(event(0, sent));
            sent += 1;
        }
        wait_until("the loss", || thread.losses().of(LossReason::DiskFull) == 7 * (round + 1));
    }
    push_numbered(producer, 0, 1_000);
    let totals = thread.finish().unwrap();
    assert_eq!(totals.events_written, 0);
    assert_eq!(totals.bytes_written, 0);
    assert_eq!(totals.events_lost.of(LossReason::DiskFull), sent + 1_000);
    assert_eq!(totals.events_lost.total(), sent + 1_000);
    let notices = notices.lock().unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("/dev/full"), "{notices:?}");
}

#[test]
fn a_renamed_file_is_followed_by_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (directory.path().join("eve.json"), directory.path().join("eve.json.1"));
    let file = FileSink::open(&path, OpenMode::Append).unwrap();
    let thread = EventThread::spawn(file, tiny(Overflow::Wait), |notice| panic!("{notice}")).unwrap();
    push_numbered(thread.producer(), 0, 100);
    wait_until("all of the first part", || {
        fs::read_to_string(&path).is_ok_and(|text| text.lines().count() == 100)
    });
    fs::rename(&path, &old).unwrap();
    thread.reopen().request();
    wait_until("the new file", || path.exists());
    push_numbered(thread.producer(), 1, 50);
    let totals = thread.finish().unwrap();
    assert_eq!(totals.events_written, 150);
    assert_eq!(numbers_by_producer(&old)[&0].len(), 100);
    assert_eq!(numbers_by_producer(&path)[&1].len(), 50);
}

#[test]
fn a_failed_reopen_keeps_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (directory.path().join("eve.json"), directory.path().join("eve.json.1"));
    let notices = Notices::default();
    let file = FileSink::open(&path, OpenMode::Append).unwrap();
    let thread = EventThread::spawn(file, tiny(Overflow::Wait), recording(&notices)).unwrap();
    fs::rename(&path, &old).unwrap();
    fs::create_dir(&path).unwrap();
    thread.reopen().request();
    wait_until("the notice", || !notices.lock().unwrap().is_empty());
    push_numbered(thread.producer(), 0, 10);
    assert_eq!(thread.finish().unwrap().events_written, 10);
    assert_eq!(numbers_by_producer(&old)[&0].len(), 10);
    let notices = notices.lock().unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("is a directory"), "{notices:?}");
}

/// The second half of [`a_file_at_its_limit_keeps_whole_lines_and_recovers`], run under a limit on file sizes.
#[test]
#[ignore = "run by another test, under a limit on file sizes"]
fn under_a_file_size_limit() {
    let Some(path) = std::env::var_os("FOREBAY_TEST_FILE") else { return };
    let path = Path::new(&path);
    let notices = Notices::default();
    let file = FileSink::open(path, OpenMode::Replace).unwrap();
    // One batch, so one write, of more than fits.
    let options = Options { batch_events: 100, ..tiny(Overflow::Wait) };
    let thread = EventThread::spawn(file, options, recording(&notices)).unwrap();
    push_numbered(thread.producer(), 0, 100);
    wait_until("the limit", || thread.losses().total() > 0);
    let kept = numbers_by_producer(path)[&0].len() as u64;
    assert!((1..100).contains(&kept), "{kept} lines");
    assert_eq!(thread.losses().of(LossReason::WriteFailed), 100 - kept);
    // Room again, as after a rotation by copy and truncate.
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap();
    push_numbered(thread.producer(), 1, 5);
    let totals = thread.finish().unwrap();
    assert_eq!(numbers_by_producer(path), [(1, (0..5).collect())].into());
    assert_eq!(totals.events_written, kept + 5);
    assert_eq!(totals.events_lost.of(LossReason::WriteFailed), 100 - kept);
    let notices = notices.lock().unwrap();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(
        notices[1].ends_with(&format!("can be written again; {} events were lost", 100 - kept)),
        "{notices:?}"
    );
}

/// Runs one of the ignored tests of this file in a process of its own, by a line of shell.
fn process(script: &str, file: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(std::env::current_exe().unwrap()).env("FOREBAY_TEST_FILE", file);
    command
}

/// A file that can grow no further takes part of a write, as a full disk does.
#[test]
fn a_file_at_its_limit_keeps_whole_lines_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact under_a_file_size_limit --ignored";
    let output = process(script, &directory.path().join("eve.json")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Writes until it is killed; see [`a_killed_process_leaves_at_most_one_partial_line`].
#[test]
#[ignore = "run by another test, which kills it"]
fn until_killed() {
    let Some(path) = std::env::var_os("FOREBAY_TEST_FILE") else { return };
    let file = FileSink::open(path, OpenMode::Replace).unwrap();
    let thread = EventThread::spawn(file, tiny(Overflow::Wait), |notice| panic!("{notice}")).unwrap();
    let mut producer = thread.producer();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut number = 0;
    while Instant::now() < deadline {
        producer.push(event(0, number));
        number += 1;
    }
}

#[test]
fn a_killed_process_leaves_at_most_one_partial_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eve.json");
    let mut child =
        process("exec \"$0\" --exact until_killed --ignored", &path).stdout(Stdio::null()).spawn().unwrap();
    wait_until("a megabyte", || fs::metadata(&path).is_ok_and(|metadata| metadata.len() > 1 << 20));
    child.kill().unwrap();
    child.wait().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (whole, _) = text.rsplit_once('\n').unwrap();
    for (number, line) in whole.lines().enumerate() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["flow_id"], number);
    }
}

#[test]
fn a_defect_in_the_thread_is_an_error_and_not_a_hang() {
    let file = FileSink::open("/dev/full", OpenMode::Append).unwrap();
    let thread = EventThread::spawn(file, tiny(Overflow::Wait), |notice| panic!("{notice}")).unwrap();
    push_numbered(thread.producer(), 0, 1_000);
    assert_eq!(thread.finish(), Err(FinishError::Panicked));
}
