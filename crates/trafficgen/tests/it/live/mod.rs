//! Two network namespaces joined by a veth pair: `trafficgen send` at one end, a Forebay engine at the other.
//!
//! What is sent is received, or missed by the port and counted; what is received is inspected, or not for a named
//! reason. Needs root and network namespaces; without them the tests say so and pass.

mod receiver;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use testkit::link::{Link, RECEIVING_INTERFACE, SENDING_INTERFACE};
use trafficgen::pcap::PcapWriter;
use trafficgen::trace::{TraceOptions, generate, write_trace};

use receiver::{Count, Receiver, Report};

/// The tenants' VLANs; the trace has one more, which is nobody's.
const VLANS: [u16; 2] = [101, 102];

/// One live run: a trace of three VLANs over the link.
struct Run {
    /// What was in the trace, by VLAN.
    trace: [Count; VLANS.len() + 1],
    report: Report,
}

/// Writes the trace, and counts it by VLAN.
///
/// Without fragments of IPv4: DPDK's driver has the kernel put them together (`PACKET_FANOUT_FLAG_DEFRAG`), so that what
/// arrives is one frame where several were sent, cut to the size of a place in its ring.
fn write(path: &Path) -> [Count; VLANS.len() + 1] {
    let options = TraceOptions {
        tenants: VLANS.len() as u16 + 1,
        first_vlan: VLANS[0],
        conversations: 60,
        elephant_bytes: 1 << 20,
        ..TraceOptions::default()
    };
    let mut counts = [Count::default(); VLANS.len() + 1];
    let mut writer = PcapWriter::new(std::fs::File::create(path).unwrap()).unwrap();
    generate(&options, |at_ns, frame| {
        let is_ipv4 = frame[16..18] == [0x08, 0x00];
        if is_ipv4 && u16::from_be_bytes([frame[24], frame[25]]) & 0x3fff != 0 {
            return Ok(());
        }
        let vlan = u16::from_be_bytes([frame[14], frame[15]]);
        let count = &mut counts[usize::from(vlan - VLANS[0])];
        *count = *count + Count { packets: 1, bytes: frame.len() as u64 };
        writer.write(at_ns, frame).unwrap();
        Ok(())
    })
    .unwrap();
    writer.into_inner().sync_all().unwrap();
    counts
}

/// Sends and receives; `None` where there can be no link. `inspections` is how often each packet's checksum is verified.
fn run(rate: &[&str], inbox_packets: u32, inspections: usize) -> Option<Run> {
    let link = Link::new()?;
    let dir = tempfile::tempdir().unwrap();
    let trace = write(&dir.path().join("t.pcap"));
    let packets = trace.iter().map(|count| count.packets).sum::<u64>();
    // The receiving socket's ring holds all of it: DPDK 22.11's driver does not count what its ring has no place for.
    let device =
        format!("net_af_packet0,iface={RECEIVING_INTERFACE},blocksz=65536,framesz=2048,framecnt=16384");
    assert!(packets < 16_384, "{packets}");
    let receiver = Receiver::start(&link, &device, inbox_packets, inspections);

    let device = format!("net_af_packet0,iface={SENDING_INTERFACE}");
    let arguments = [&["send", "t.pcap", "--json", "--device", &device], rate].concat();
    let mut sending = link.in_sending(env!("CARGO_BIN_EXE_trafficgen"));
    let output = sending.args(arguments).current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((sent["packets"].as_u64(), &sent["ended"]), (Some(packets), &"complete".into()));
    assert_eq!(sent["tx_errors"], 0);
    // What the kernel loses between the two ends belongs to neither port.
    let report = receiver.finish(packets - link.lost(), Duration::from_secs(10));
    Some(Run { trace, report })
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
    let Some(run) = run(&["--rate", "10kpps"], 4096, 1) else { return };
    run.assert_conserved();
    let report = &run.report;
    // Bytes too: the kernel takes tags off, and the driver puts them back. Nothing is there that was not sent.
    let received: Vec<Count> = report.rows.iter().map(|row| row.received).collect();
    assert_eq!(received, run.trace);
    // The third VLAN is nobody's.
    let foreign = &report.rows[VLANS.len()];
    assert_eq!(foreign.not_inspected.get("no_tenant").copied(), Some(foreign.received));
    for row in &report.rows[..VLANS.len()] {
        // ARP is the only thing in the trace that no pipeline takes.
        assert_eq!(row.not_inspected.keys().collect::<Vec<_>>(), ["non_ip"]);
        assert!(row.inspected.packets > 1000, "{row:?}");
    }
}

#[test]
fn a_tiny_inbox_overflows_by_name_and_the_sum_is_exact() {
    let Some(run) = run(&[], 64, 200) else { return };
    run.assert_conserved();
    assert!(run.not_inspected("inbox_full") > 0, "{:?}", run.report);
    for row in &run.report.rows[..VLANS.len()] {
        assert!(row.inspected.packets > 0, "{row:?}");
    }
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
