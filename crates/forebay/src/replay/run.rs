//! One replay from start to end: the engine is fed captures, watched, and asked what came of it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use control::config::{Config, Timeouts};
use control::engine::{engine_config, generation};
use dataplane::{Capture, Engine, EngineError, Mode, Outcome, TenantSnapshot};
use event::Event;
use sink::{EventThread, Notice, Options, Overflow};

use super::Signatures;
use super::input::{Input, Scanned};
use super::interrupt::Interrupt;
use super::output::Output;
use crate::cli::Replay;
use crate::failure::Failure;
use crate::ui::{NotInspected, Progress, Report, TenantReport, count};

/// Captures handed to the engine and not yet replayed: the one at work, and the next, so that it need not wait for it.
const CAPTURES_AHEAD: usize = 2;

/// How often the engine is looked at. It is short at first because it adds to the time that is measured.
const LOOK_FIRST: Duration = Duration::from_micros(200);
const LOOK_LATER: Duration = Duration::from_millis(5);

/// How often the bar is drawn anew.
const DRAW: Duration = Duration::from_millis(100);

/// Without a packet for this long, the capture at work is looked at.
const SUSPICIOUS: Duration = Duration::from_secs(2);

/// Without a packet for this long, no more will come.
const HOPELESS: Duration = Duration::from_secs(60);

/// Replays the input and reports. When that fails nothing is left in the folder, except that an interrupted replay
/// leaves what it has.
pub(super) fn run(
    arguments: &Replay,
    config: &Config,
    signatures: &Signatures,
    input: &Input,
    mut output: Output,
) -> Result<Report, Failure> {
    let interrupt = Interrupt::listen()?;
    // The first failure to write: the rest of the replay would be for nothing.
    let write_failure: Arc<OnceLock<String>> = Arc::default();
    let failed = Arc::clone(&write_failure);
    let options = Options { batches_max: batches_max(config), ..Options::new(Overflow::Wait) };
    let events = EventThread::spawn(output.open()?, options, move |notice: Notice| {
        failed.get_or_init(|| notice.to_string());
    })?;

    let blame = |error: EngineError| {
        let file = arguments.config.as_ref().filter(|_| is_about_the_configuration(&error));
        Failure::new(file.map_or_else(|| error.to_string(), |file| format!("{}: {error}", file.display())))
    };
    // A replay's hash secret is fixed, so nothing random is drawn.
    let engine_config = engine_config(config, Mode::Replay, 0)?;
    let first = |eal: &_| generation(config, &signatures.inspections, None, 1, eal);
    let mut engine = Engine::start(&engine_config, first, || events.producer()).map_err(blame)?;
    let watch = Watch { interrupt: &interrupt, write_failure: &write_failure };
    let (started, end) = feed(&mut engine, config, input, &watch).map_err(blame)?;
    let outcome = engine.finish().map_err(blame)?;
    control::datasets::keep(config, &signatures.inspections)?;
    let span = Span::of(config, input);
    let stats = outcome.snapshot.stats(span.end_us, (span.end_us - span.first_us) / 1_000_000);
    events.producer().push(Event::Stats(Box::new(stats)));
    let totals = events.finish()?;
    let seconds = started.elapsed().as_secs_f64();

    if let Some(reason) = write_failure.get() {
        return Err(Failure::new(reason.clone()));
    }
    if totals.events_lost.total() > 0 {
        let lost = count(totals.events_lost.total());
        return Err(Failure::new(format!(
            "{lost} events were lost on their way to {}",
            output.part().display()
        )));
    }
    if let End::Stalled(capture) = end {
        let why = if capture.has_changed() {
            "it was changed while"
        } else {
            "DPDK's reader found fewer packets when"
        };
        return Err(Failure::new(format!(
            "{}: {why} it was replayed; replay a copy that nobody writes to",
            capture.path.display()
        )));
    }
    if matches!(end, End::Stopped) {
        let part = output.part().display().to_string();
        output.keep_part();
        let received = outcome.snapshot.received.packets;
        return Err(Failure::new(format!(
            "interrupted after {} of {} packets; their events are in {part}",
            count(received),
            count(input.packets()),
        )));
    }
    if outcome.mbufs_missing > 0 {
        return Err(Failure::new(format!(
            "{} packet buffers were not given back, which is a defect of Forebay; please report it with the capture",
            outcome.mbufs_missing
        )));
    }
    let eve = output.complete()?;
    let mut report = report(config, input, outcome, eve, totals.events_written, seconds);
    report.rules_load_seconds = signatures.load_seconds;
    report.rules_loaded = signatures.inspections.rules_loaded();
    report.rules_failed = signatures.inspections.rules_refused();
    Ok(report)
}

/// Batches that hold as many records as the configuration allows.
fn batches_max(config: &Config) -> usize {
    let batch_events = Options::new(Overflow::Wait).batch_events;
    (config.events.queue_records.get() as usize / batch_events).max(1)
}

/// Whether another configuration would help.
fn is_about_the_configuration(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Eal(_)
            | EngineError::Mempool(_)
            | EngineError::Ring(_)
            | EngineError::Port(_)
            | EngineError::Table(_)
            | EngineError::Defrag(_)
            | EngineError::Classifier(_)
    )
}

/// What ends a replay early.
struct Watch<'a> {
    interrupt: &'a Interrupt,
    write_failure: &'a OnceLock<String>,
}

impl Watch<'_> {
    fn is_over(&self) -> bool {
        self.interrupt.is_asked() || self.write_failure.get().is_some()
    }
}

/// How feeding the engine came to its end.
enum End<'a> {
    /// Every packet was taken.
    Complete,
    /// Somebody wanted it to end, or the output could not be written.
    Stopped,
    /// This capture brings no more packets, and has not brought all.
    Stalled(&'a Scanned),
}

/// Hands the captures over, loop by loop, until all are replayed or the replay is to end early. Returns when the first
/// packet could be taken, and how it ended.
fn feed<'a>(
    engine: &mut Engine,
    config: &Config,
    input: &'a Input,
    watch: &Watch<'_>,
) -> Result<(Instant, End<'a>), EngineError> {
    let Span { loop_us, end_us, .. } = Span::of(config, input);
    let mut waiting = (0..input.loops)
        .flat_map(|number| {
            input.captures.iter().map(move |capture| (loop_us.saturating_mul(number), capture))
        })
        .filter(|(_, capture)| capture.info.packets > 0)
        .peekable();
    let mut started = None;
    let mut progress = Progress::packets(input.packets());
    let mut drawn = Instant::now();
    // For each capture that is handed over and not done: packets received when it will be.
    let mut under_way: VecDeque<(u64, &Scanned)> = VecDeque::new();
    let (mut received, mut advanced) = (0, Instant::now());
    let mut handed = 0;
    let mut open = true;
    let end = loop {
        while under_way.len() < CAPTURES_AHEAD
            && let Some((offset_us, capture)) = waiting.next()
        {
            let frames = capture.info.packets;
            engine.replay(&Capture { path: capture.frames(), frames, offset_us })?;
            started.get_or_insert_with(Instant::now);
            handed += frames;
            under_way.push_back((handed, capture));
        }
        if waiting.peek().is_none() && std::mem::take(&mut open) {
            engine.end_of_input(end_us);
        }
        if engine.is_finished() {
            break End::Complete;
        }
        if watch.is_over() {
            engine.stop();
            break End::Stopped;
        }
        // Reading all counters costs more than a look at whether the workers have ended.
        let draw = drawn.elapsed() >= DRAW;
        if draw || waiting.peek().is_some() {
            let now_received = engine.snapshot().received.packets;
            if std::mem::replace(&mut received, now_received) != now_received {
                advanced = Instant::now();
            }
            while under_way.front().is_some_and(|(done, _)| *done <= received) {
                under_way.pop_front();
            }
            if draw {
                progress.packets_done(received);
                drawn = Instant::now();
            }
        }
        if let Some((_, capture)) = under_way.front().copied()
            && advanced.elapsed() >= SUSPICIOUS
            && (capture.has_changed() || advanced.elapsed() >= HOPELESS)
        {
            engine.stop();
            break End::Stalled(capture);
        }
        let early = started.is_none_or(|started: Instant| started.elapsed() < Duration::from_secs(1));
        std::thread::sleep(if early { LOOK_FIRST } else { LOOK_LATER });
    };
    progress.finish();
    Ok((started.unwrap_or_else(Instant::now), end))
}

/// What the replay covers in packet time, in microseconds since the epoch.
#[allow(clippy::struct_field_names)] // The unit is part of every name.
struct Span {
    /// The first packet.
    first_us: u64,
    /// The last packet of the last loop.
    end_us: u64,
    /// From the first packet of a loop to that of the next.
    loop_us: u64,
}

impl Span {
    fn of(config: &Config, input: &Input) -> Self {
        let (first_us, last_us) = input.times_us().unwrap_or_default();
        let loop_us = (last_us - first_us).saturating_add(pause_us(&config.timeouts));
        let end_us = last_us.saturating_add(loop_us.saturating_mul(input.loops - 1));
        Self { first_us, end_us, loop_us }
    }
}

/// Packet time between two loops, in microseconds: long enough that every flow of one is over before the next begins,
/// so that each loop gives the same records.
fn pause_us(timeouts: &Timeouts) -> u64 {
    let Timeouts { tcp, udp, icmp, other } = timeouts;
    let idle = [udp, icmp, other].into_iter().flat_map(|timeouts| [timeouts.new_s, timeouts.established_s]);
    let longest_s = [tcp.new_s, tcp.established_s, tcp.closed_s].into_iter().chain(idle).max();
    (longest_s.map_or(0, control::config::Whole::get) + 1) * 1_000_000
}

fn report(
    config: &Config,
    input: &Input,
    outcome: Outcome,
    eve: std::path::PathBuf,
    events: u64,
    seconds: f64,
) -> Report {
    let snapshot = outcome.snapshot;
    let protocols = ["TCP", "UDP", "ICMP", "ICMPv6", "other"];
    Report {
        source: input.name(),
        loops: input.loops,
        workers: config.dataplane.workers.get(),
        packets_offered: input.packets(),
        packets: snapshot.received.packets,
        bytes: snapshot.received.bytes,
        seconds,
        rules_load_seconds: 0.0,
        rules_loaded: 0,
        rules_failed: 0,
        flows_by_protocol: protocols.into_iter().zip(snapshot.flows_by_protocol).collect(),
        tenants: snapshot.tenants.into_iter().map(tenant).collect(),
        unassigned: TenantReport { name: "(no tenant)".to_owned(), ..tenant(snapshot.unassigned) },
        eve,
        events,
    }
}

fn tenant(snapshot: TenantSnapshot) -> TenantReport {
    let not_inspected = snapshot.not_inspected.iter().map(|(reason, traffic)| NotInspected {
        reason: reason.as_str(),
        is_policy: reason.is_policy(),
        packets: traffic.packets,
    });
    TenantReport {
        not_inspected: not_inspected.collect(),
        name: snapshot.name,
        packets: snapshot.received.packets,
        bytes: snapshot.received.bytes,
        flows: snapshot.flows,
        alerts: snapshot.alerts,
        inspected: snapshot.inspected.packets,
        checksum_wrong: snapshot.checksum_wrong,
    }
}
