//! How fast is signature inspection: Forebay and Suricata over one capture with one rule file, on one core each, by
//! turns in one run, both writing their EVE log.
//!
//! Figures are medians over the rounds; compare ratios, since machines differ and are shared. Beside them stands what
//! Hyperscan alone makes of the same payload, which no design can beat without scanning less.

#![forbid(unsafe_code)]

mod programs;
mod scan;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;

/// Signature inspection against Suricata.
#[derive(Parser)]
struct Arguments {
    /// Capture to inspect.
    #[arg(long)]
    capture: PathBuf,
    /// Rule file for both.
    #[arg(long)]
    rules: PathBuf,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Forebay's program.
    #[arg(long, default_value = "target/release/forebay")]
    forebay: PathBuf,
    /// Leave Suricata out (for profilers, and where it is not installed).
    #[arg(long)]
    without_suricata: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let bytes = std::fs::metadata(&arguments.capture)?.len();
    let folder = tempfile::tempdir()?;
    let (mut forebay, mut suricata) = (Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        let out = folder.path().join(format!("forebay-{round}"));
        let cache = folder.path().join("cache");
        forebay.push(programs::forebay(&arguments, &out, &cache)?);
        if !arguments.without_suricata {
            let out = folder.path().join(format!("suricata-{round}"));
            suricata.push(programs::suricata(&arguments, &out)?);
        }
    }
    let gbps = |seconds: f64| bytes as f64 * 8.0 / seconds / 1e9;
    println!(
        "{:<28}{:>10}{:>12}{:>14}{:>12}{:>12}",
        "program", "seconds", "Gbit/s", "load seconds", "MiB", "alerts"
    );
    let show = |name: &str, runs: &[programs::Run]| {
        let median = |value: fn(&programs::Run) -> f64| median(runs.iter().map(value).collect());
        let seconds = median(|run| run.seconds);
        println!(
            "{name:<28}{seconds:>10.3}{:>12.2}{:>14.2}{:>12.0}{:>12.0}",
            gbps(seconds),
            median(|run| run.load_seconds),
            median(|run| run.memory_mib),
            median(|run| run.alerts as f64),
        );
        seconds
    };
    // The first run compiled the rules, the others found them in the cache.
    let cold = forebay.first().map(|run| run.load_seconds);
    let warm = forebay.get(1).map(|run| run.load_seconds);
    let ours = show("forebay", &forebay);
    if !suricata.is_empty() {
        let theirs = show("suricata", &suricata);
        println!("\nratio: {:.2} times as fast", theirs / ours);
    }
    if let Some(cold) = cold {
        println!("rules loaded from cold in {cold:.2} s");
    }
    if let Some(warm) = warm {
        println!("rules loaded with the databases cached in {warm:.2} s");
    }
    let scanned = scan::payload(&arguments.capture, &arguments.rules)?;
    println!(
        "Hyperscan alone, all payload of TCP and UDP: {} MB in {:.3} s, {:.2} Gbit/s of payload",
        scanned.bytes / 1_000_000,
        scanned.seconds,
        scanned.bytes as f64 * 8.0 / scanned.seconds / 1e9
    );
    println!(
        "databases: {} literals, {:.1} MiB",
        scanned.literals,
        scanned.database_bytes as f64 / f64::from(1 << 20)
    );
    Ok(())
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
