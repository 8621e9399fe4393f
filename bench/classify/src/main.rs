//! How fast is the path without inspection: poll, parse, flow, classify, dispatch, count.
//!
//! In one run, on one core each and by turns: `dpdk-testpmd` (rxonly, macswap) and Forebay's lane, both on `net_pcap`
//! with `infinite_rx=1` over the same 2,048 frames. The lane's frames are given other source addresses as they are
//! polled, so that a small capture makes any number of flows; what that alone costs is shown too. Figures are medians
//! over the rounds; compare ratios, since machines differ and are shared.

#![forbid(unsafe_code)]

mod lane;
mod source;
mod testpmd;

use std::error::Error;

use clap::Parser;

/// The path without inspection against `dpdk-testpmd`.
#[derive(Parser)]
struct Arguments {
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds for each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Frame length in bytes, without FCS.
    #[arg(long, default_value_t = 60)]
    frame_bytes: usize,
    /// Run one case only, without testpmd (for profilers).
    #[arg(long)]
    only: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let dir = tempfile::tempdir()?;
    let capture = dir.path().join("frames.pcap");
    source::write_capture(&capture, arguments.frame_bytes)?;

    let mut cases = lane::Cases::start(&capture)?;
    let names = lane::CASES.map(|case| case.name);
    let mut figures: Vec<(String, Vec<f64>)> = Vec::new();
    let mut add = |name: &str, mpps: f64| match figures.iter_mut().find(|(known, _)| known == name) {
        Some((_, all)) => all.push(mpps),
        None => figures.push((name.to_owned(), vec![mpps])),
    };
    for _ in 0..arguments.rounds {
        if arguments.only.is_none() {
            for mode in ["rxonly", "macswap"] {
                add(&format!("testpmd {mode}"), testpmd::run(&capture, mode, arguments.seconds)?);
            }
        }
        for case in names {
            if arguments.only.as_deref().is_none_or(|only| only == case) {
                add(case, cases.run(case, arguments.seconds)?);
            }
        }
    }

    let median = |all: &[f64]| {
        let mut sorted = all.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
    };
    let macswap = figures.iter().find(|(name, _)| name == "testpmd macswap").map(|(_, all)| median(all));
    println!("{:<34}{:>10}{:>12}{:>18}", "case", "Mpps", "ns/packet", "of macswap");
    for (name, all) in &figures {
        let mpps = median(all);
        let ratio = macswap.map_or(String::new(), |macswap| format!("{:.2}", mpps / macswap));
        println!("{name:<34}{mpps:>10.2}{:>12.1}{ratio:>18}", 1000.0 / mpps);
    }
    println!("\nbytes a flow, 4 million flows: {:.1}", cases.bytes_per_flow()?);
    Ok(())
}
