//! Traffic of known content: a trace that is sent again and again, and what of it was sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;
use testkit::link::{Link, SENDING_INTERFACE};
use testkit::program;
use trafficgen::pcap::PcapWriter;
use trafficgen::trace::{TraceOptions, generate};

use crate::daemon::terminate;

/// Packets by VLAN.
pub(super) type ByVlan = BTreeMap<u16, u64>;

/// A trace.
pub(super) struct Trace {
    /// The VLAN of each packet, in order.
    vlans: Vec<u16>,
}

impl Trace {
    /// Writes one with `tenants` VLANs from `first_vlan` on to `t.pcap` in the folder.
    ///
    /// Without fragments of IPv4: DPDK's driver has the kernel put them together (`PACKET_FANOUT_FLAG_DEFRAG`), so that
    /// what arrives is one frame where several were sent.
    pub(super) fn write(folder: &Path, tenants: u16, first_vlan: u16) -> Self {
        let options = TraceOptions {
            tenants,
            first_vlan,
            conversations: 25,
            elephant_bytes: 0,
            ..TraceOptions::default()
        };
        let mut vlans = Vec::new();
        let mut writer = PcapWriter::new(std::fs::File::create(folder.join("t.pcap")).unwrap()).unwrap();
        generate(&options, |at_ns, frame| {
            let is_ipv4 = frame[16..18] == [0x08, 0x00];
            let is_fragment = is_ipv4 && u16::from_be_bytes([frame[24], frame[25]]) & 0x3fff != 0;
            if !is_fragment {
                vlans.push(u16::from_be_bytes([frame[14], frame[15]]));
                writer.write(at_ns, frame).unwrap();
            }
            Ok(())
        })
        .unwrap();
        writer.into_inner().sync_all().unwrap();
        Self { vlans }
    }

    /// What the first `packets` packets are, when it is sent again and again.
    pub(super) fn first(&self, packets: u64) -> ByVlan {
        let mut count = ByVlan::new();
        let length = self.vlans.len() as u64;
        for (place, vlan) in self.vlans.iter().enumerate() {
            let times = packets / length + u64::from((place as u64) < packets % length);
            *count.entry(*vlan).or_default() += times;
        }
        count
    }
}

/// A sender that does not end by itself.
pub(super) struct Sender(Child);

impl Sender {
    /// Sends the trace in the folder, at a rate that a busy machine carries.
    pub(super) fn start(link: &Link, folder: &Path) -> Self {
        let device = format!("net_af_packet0,iface={SENDING_INTERFACE}");
        let arguments =
            ["send", "t.pcap", "--json", "--rate", "2kpps", "--loops", "1000", "--device", &device];
        let mut command = link.in_sending(program("trafficgen").to_str().unwrap());
        command.args(arguments).current_dir(folder).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Ends it, and returns how many packets it sent.
    pub(super) fn stop(mut self) -> u64 {
        terminate(&self.0);
        let mut said = String::new();
        let mut output = self.0.stdout.take().unwrap();
        std::io::Read::read_to_string(&mut output, &mut said).unwrap();
        self.0.wait().unwrap();
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["tx_errors"], 0, "{said}");
        said["packets"].as_u64().unwrap()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
