//! `trafficgen mix`.

use std::path::PathBuf;

use clap::Args;

use super::{Said, bytes_text};
use crate::mix::{MIX_FIRST_VLAN, MixOptions, mix};

/// Interleave replicas of a capture: new addresses for each, each on VLAN 100 + its number.
///
/// The flows of every replica begin at random; the first replica keeps the capture's addresses. Frames that are not IP,
/// that a snapshot length cut, or that are too long to be sent are left out and counted.
#[derive(Debug, Args)]
pub(super) struct MixArguments {
    /// Capture to read (pcap or pcapng, Ethernet)
    #[arg(value_name = "SRC.pcap")]
    source: PathBuf,
    /// Capture to write (nanosecond pcap); it appears when it is complete
    #[arg(value_name = "DST.pcap")]
    destination: PathBuf,
    /// Number of replicas
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    replicas: u32,
    /// Replica n goes to VLAN 100 + n modulo this; 0 writes untagged frames
    #[arg(long, value_name = "N", default_value_t = 10)]
    vlans: u16,
    /// When flows begin follows from it
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Flows begin within so many seconds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Compress flows that lasted longer to so many seconds
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    flow_seconds: u32,
    /// Most memory to use, in MiB: the source is held in it
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    memory_limit: u32,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

impl MixArguments {
    pub(super) fn run(&self) -> Result<Said, String> {
        let options = MixOptions {
            replicas: self.replicas,
            vlans: self.vlans,
            seed: self.seed,
            seconds: self.seconds,
            flow_seconds: self.flow_seconds,
            memory_bytes: u64::from(self.memory_limit) << 20,
        };
        let summary = mix(&self.source, &self.destination, &options).map_err(|error| error.to_string())?;
        let where_to = match summary.vlans.as_slice() {
            [_] if self.vlans == 0 => "untagged".to_owned(),
            vlans => format!("on {} VLANs from {MIX_FIRST_VLAN}", vlans.len()),
        };
        let text = format!(
            "{}: {} packets, {}, {} flows in each of {} replicas, {where_to}; {} frames of {} skipped",
            self.destination.display(),
            summary.packets,
            bytes_text(summary.bytes),
            summary.flows,
            summary.replicas,
            summary.skipped.total(),
            self.source.display(),
        );
        Ok(Said { text, json: serde_json::to_string(&summary), as_json: self.json, failure: None })
    }
}
