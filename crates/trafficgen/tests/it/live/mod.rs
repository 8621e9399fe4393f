//! Two network namespaces joined by a veth pair: `trafficgen send` at one end, a Forebay engine at the other.
//!
//! What is sent is received, or missed by the port and counted; what is received is inspected, or not for a named
//! reason. Needs root and network namespaces; without them the tests say so and pass.

mod link;
mod receiver;

use std::time::Duration;

use serde_json::Value;
use trafficgen::trace::{TraceOptions, Truth, write_trace};

use link::Link;
use receiver::{Receiver, Report};

/// The tenants' VLANs; the trace has one more, which is nobody's.
const VLANS: [u16; 2] = [101, 102];

/// One live run: a trace of three VLANs over the link. `None` where there can be no link.
struct Run {
    truth: Truth,
    sent: Value,
    report: Report,
}

/// `frames` is how many the receiving socket's ring holds; `inspections` how often each packet's checksum is verified.
fn run(rate: &[&str], frames: u32, inbox_packets: u32, inspections: usize) -> Option<Run> {
    let link = Link::new()?;
    let options = TraceOptions {
        tenants: VLANS.len() as u16 + 1,
        first_vlan: VLANS[0],
        conversations: 60,
        elephant_bytes: 1 << 20,
        ..TraceOptions::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let truth = write_trace(&options, &dir.path().join("t.pcap"), None).unwrap();
    let device =
        format!("net_af_packet0,iface={},blocksz=65536,framecnt={frames}", link.receiving_interface());
    let receiver = Receiver::start(&link, &device, inbox_packets, inspections);

    let device = format!("net_af_packet0,iface={}", link.sending_interface());
    let arguments = [&["send", "t.pcap", "--json", "--device", &device], rate].concat();
    let mut sending = link.in_sending(env!("CARGO_BIN_EXE_trafficgen"));
    let output = sending.args(arguments).current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(sent["packets"].as_u64(), Some(truth.total.packets));
    assert_eq!(sent["tx_errors"], 0);
    // What the kernel lost between its two ends belongs to neither port.
    let on_link = truth.total.packets - link.lost();
    Some(Run { report: receiver.finish(on_link, Duration::from_secs(10)), truth, sent })
}

impl Run {
    /// Everything adds up: on the link, in the engine, for each tenant.
    fn assert_conserved(&self) {
        let report = &self.report;
        assert_eq!(report.received.packets + report.missed, report.on_link, "{report:?}");
        assert_eq!(report.received, report.rows.iter().map(|row| row.received).sum(), "{report:?}");
        for row in &report.rows {
            let named = row.not_inspected.values().copied().sum();
            assert_eq!(row.received, row.inspected + named, "{row:?}");
        }
        assert_eq!((report.held, report.mbufs_missing), (0, 0), "{report:?}");
    }

    /// Packets that were not inspected for `reason`, over all tenants.
    fn not_inspected(&self, reason: &str) -> u64 {
        self.report
            .rows
            .iter()
            .filter_map(|row| row.not_inspected.get(reason))
            .map(|count| count.packets)
            .sum()
    }
}

#[test]
fn every_tenant_receives_what_was_sent_on_its_vlan() {
    let Some(run) = run(&["--rate", "10kpps"], 16_384, 4096, 1) else { return };
    run.assert_conserved();
    let report = &run.report;
    assert_eq!(run.sent["ended"], "complete");
    assert_eq!(
        (report.on_link, report.missed),
        (run.truth.total.packets, 0),
        "the ring holds the whole trace"
    );
    assert_eq!(report.received.bytes, run.truth.total.bytes, "tags are put back");
    for (row, truth) in report.rows.iter().zip(&run.truth.tenants) {
        let sent = (truth.total.packets, truth.total.bytes);
        assert_eq!((row.received.packets, row.received.bytes), sent, "VLAN {}", truth.vlan);
    }
    // The third VLAN is nobody's, and the kernel added nothing of its own.
    let foreign = &report.rows[VLANS.len()];
    assert_eq!(foreign.not_inspected.get("no_tenant").copied(), Some(foreign.received));
    assert_eq!(run.not_inspected("inbox_full"), 0);
    assert!(report.rows[0].inspected.packets > 1000 && report.rows[1].inspected.packets > 1000, "{report:?}");
}

#[test]
fn a_tiny_inbox_overflows_by_name_and_the_sum_is_exact() {
    let Some(run) = run(&[], 16_384, 64, 200) else { return };
    run.assert_conserved();
    assert!(run.not_inspected("inbox_full") > 0, "{:?}", run.report);
    for row in &run.report.rows[..VLANS.len()] {
        assert!(row.inspected.packets > 0, "{row:?}");
    }
}

#[test]
fn what_does_not_fit_the_ports_ring_is_counted_as_missed() {
    let Some(run) = run(&[], 32, 64, 200) else { return };
    run.assert_conserved();
    assert!(run.report.missed > 0, "{:?}", run.report);
}

/// `net_tap` starts only with as many receive queues as transmit queues.
#[test]
fn a_tap_sends_too() {
    let Some(link) = Link::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let options =
        TraceOptions { tenants: 1, conversations: 40, elephant_bytes: 0, ..TraceOptions::default() };
    let truth = write_trace(&options, &dir.path().join("t.pcap"), None).unwrap();
    let arguments = ["send", "t.pcap", "--json", "--device", "net_tap0,iface=fbtap"];
    let mut sending = link.in_sending(env!("CARGO_BIN_EXE_trafficgen"));
    let output = sending.args(arguments).current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((sent["packets"].as_u64(), &sent["tx_errors"]), (Some(truth.total.packets), &0.into()));
}
