//! `trafficgen trace`.

use std::path::PathBuf;

use clap::Args;

use super::{Said, bytes_text};
use crate::trace::{CONVERSATIONS_MAX, TENANTS_MAX, TraceOptions, VLAN_MAX, write_trace};

/// Make a trace from a seed: HTTP, DNS, TLS, SMTP, bulk transfers, scans and more, each tenant on its own VLAN.
///
/// The same options give the same bytes, on any machine.
#[derive(Debug, Args)]
pub(super) struct TraceArguments {
    /// Capture to write (nanosecond pcap); it appears when it is complete
    #[arg(long, value_name = "FILE.pcap")]
    out: PathBuf,
    /// Also write exact packet, byte and flow counts per tenant and protocol
    #[arg(long, value_name = "FILE.json")]
    truth: Option<PathBuf>,
    /// Everything random follows from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number of tenants
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=i64::from(TENANTS_MAX)))]
    tenants: u16,
    /// Conversations begin within so many seconds; the last ones end a little later
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Conversations of each tenant; 40 or more have every kind (a scan is one, and makes many flows)
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=i64::from(CONVERSATIONS_MAX)))]
    flows: u32,
    /// Size of each tenant's elephant flow in MiB; 0 for none
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(..=1_048_576))]
    elephant_mib: u64,
    /// VLAN of the first tenant; the others follow
    #[arg(long, value_name = "VLAN", default_value_t = 101, value_parser = clap::value_parser!(u16).range(1..=i64::from(VLAN_MAX)))]
    first_vlan: u16,
    /// Give all tenants the same addresses, so that only the VLAN tells them apart
    #[arg(long)]
    overlapping_addresses: bool,
    /// Print the summary (the ground truth) as JSON
    #[arg(long)]
    json: bool,
}

impl TraceArguments {
    pub(super) fn run(&self) -> Result<Said, String> {
        let options = TraceOptions {
            seed: self.seed,
            tenants: self.tenants,
            first_vlan: self.first_vlan,
            seconds: self.seconds,
            conversations: self.flows,
            elephant_bytes: self.elephant_mib << 20,
            overlapping_addresses: self.overlapping_addresses,
        };
        let truth =
            write_trace(&options, &self.out, self.truth.as_deref()).map_err(|error| error.to_string())?;
        let lasted_s = (truth.last_ns - truth.first_ns) as f64 / 1e9;
        let text = format!(
            "{}: {} packets, {}, {} flows of {} tenants (VLAN {} to {}) in {lasted_s:.1} s",
            self.out.display(),
            truth.total.packets,
            bytes_text(truth.total.bytes),
            truth.total.flows,
            self.tenants,
            self.first_vlan,
            self.first_vlan + self.tenants - 1,
        );
        Ok(Said { text, json: serde_json::to_string(&truth), as_json: self.json, failure: None })
    }
}
