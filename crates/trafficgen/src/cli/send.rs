//! `trafficgen send`.

use std::path::PathBuf;

use clap::Args;
use dpdk::Device;

use super::{Said, bytes_text, interrupt, rate};
use crate::replay::{Capture, CaptureLimits, Pace, ReplayOptions, Tags};
use crate::rewrite::VlanRange;
use crate::send::{Ended, SendOptions, SendSummary, send};
use crate::trace::VLAN_MAX;

/// Send a capture into a DPDK port, once or in loops, each loop with addresses of its own.
///
/// Without --rate and --speed, as fast as the port takes it. Ctrl-C ends it and reports what was sent. Frames that a
/// snapshot length cut, that contradict themselves, or that are too long to be sent are left out and counted.
#[derive(Debug, Args)]
pub(super) struct SendArguments {
    /// Capture to send (pcap or pcapng, Ethernet)
    #[arg(value_name = "PCAP")]
    source: PathBuf,
    /// PCI address, or DPDK virtual device with its arguments: `net_af_packet0,iface=eth1` or `net_pcap0,tx_pcap=out.pcap`
    #[arg(long, value_name = "DEVICE", value_parser = |text: &str| text.parse::<Device>())]
    device: Device,
    /// Constant rate: packets (250000, 1.5Mpps) or frame bits (300Mbit/s, 2.5Gbit/s) a second
    #[arg(long, value_name = "RATE", value_parser = rate::parse, conflicts_with = "speed")]
    rate: Option<Pace>,
    /// The capture's own timing, this many times as fast
    #[arg(long, value_name = "FACTOR", value_parser = parse_speed)]
    speed: Option<f64>,
    /// How often the capture is sent; once for each tenant if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    loops: Option<u64>,
    /// Tag every frame, loop after loop for the next of so many tenants; without it, tags stay as captured
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(VLAN_MAX)))]
    tenants: Option<u16>,
    /// VLAN of the first tenant; the others follow
    #[arg(long, value_name = "VLAN", default_value_t = 101, requires = "tenants",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(VLAN_MAX)))]
    first_vlan: u16,
    /// Most memory for the capture, in MiB: it is held in it
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    memory_limit: u32,
    /// Memory for DPDK, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    dpdk_memory: u32,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed >= 1e-6 => Ok(speed),
        _ => Err("give a number above 0, such as 0.5 or 10".to_owned()),
    }
}

impl SendArguments {
    pub(super) fn run(&self) -> Result<Said, String> {
        let vlans = self.tenants.map(|count| VlanRange { first: self.first_vlan, count });
        if let Some(range) = vlans
            && range.count > VLAN_MAX - range.first + 1
        {
            let (last, tenants) = (u32::from(range.first) + u32::from(range.count) - 1, range.count);
            return Err(format!("{tenants} tenants end at VLAN {last}; lower --tenants or --first-vlan"));
        }
        let loops = self.loops.unwrap_or(u64::from(self.tenants.unwrap_or(1)));
        let pace = match (self.rate, self.speed) {
            (Some(rate), _) => rate,
            (None, Some(speed)) => Pace::Capture { speed },
            (None, None) => Pace::Unlimited,
        };
        let options = SendOptions {
            device: self.device.clone(),
            replay: ReplayOptions { loops, vlans, pace },
            memory_mib: self.dpdk_memory,
        };
        let stop = interrupt::listen().map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
        let tags = if vlans.is_some() { Tags::One } else { Tags::Keep };
        let limits =
            CaptureLimits { memory_bytes: u64::from(self.memory_limit) << 20, ..CaptureLimits::default() };
        let capture = Capture::load(&self.source, tags, limits).map_err(|error| error.to_string())?;
        let summary = send(&capture, &options, &stop).map_err(|error| error.to_string())?;
        let text = self.text(&summary);
        Ok(Said {
            text,
            json: serde_json::to_string(&summary),
            as_json: self.json,
            failure: failure(&summary),
        })
    }

    fn text(&self, summary: &SendSummary) -> String {
        let how = if summary.ended == Ended::Interrupted { "interrupted after " } else { "" };
        let (loops, loops_end) = (summary.loops, if summary.loops == 1 { "" } else { "s" });
        let on = match summary.vlans.as_slice() {
            [] => String::new(),
            vlans => format!(" on {} VLANs from {}", vlans.len(), self.first_vlan),
        };
        format!(
            "{}: {how}{} packets, {} in {:.3} s ({:.3} Mpps, {:.3} Gbit/s), {loops} whole loop{loops_end}{on}; \
             {} frames of {} skipped, port full {} times",
            summary.device,
            summary.packets,
            bytes_text(summary.bytes),
            summary.seconds,
            summary.mpps,
            summary.gbps,
            summary.skipped.total(),
            self.source.display(),
            summary.tx_retries,
        )
    }
}

/// What the person must know besides the summary, if the sending was not all right.
fn failure(summary: &SendSummary) -> Option<String> {
    let device = &summary.device;
    if summary.ended == Ended::Stalled {
        return Some(format!(
            "{device} took no more frames; see whether its link is up and its other end is reading"
        ));
    }
    (summary.tx_errors > 0).then(|| {
        format!("{device} failed to send {} of its frames; see whether its link is up", summary.tx_errors)
    })
}
