//! The yardstick: `dpdk-testpmd` on the same vdev.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Packets a second, in millions, that testpmd receives in `mode`.
pub(crate) fn run(capture: &Path, mode: &str, seconds: f64) -> Result<f64, Box<dyn Error>> {
    let cpus = dpdk::cpu::allowed();
    let worker = cpus.last().copied().unwrap_or(0);
    let main = cpus.first().copied().unwrap_or(0);
    let mut child = Command::new("dpdk-testpmd")
        .args(["--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "512"])
        .arg(format!("--lcores=0@{main},1@{worker}"))
        .arg(format!("--vdev=net_pcap0,rx_pcap={},infinite_rx=1", capture.display()))
        .args(["--", "-i", "--nb-cores=1", "--total-num-mbufs=16383", "--burst=64", "--no-flush-rx"])
        .arg(format!("--forward-mode={mode}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("dpdk-testpmd: {error}; install the package dpdk"))?;
    let mut stdin = child.stdin.take().ok_or("testpmd has no input")?;
    sleep(Duration::from_secs(1));
    stdin.write_all(b"start\n")?;
    sleep(Duration::from_millis(500));
    // The second of two readings shows the rate in between.
    stdin.write_all(b"show port stats 0\n")?;
    sleep(Duration::from_secs_f64(seconds));
    stdin.write_all(b"show port stats 0\nstop\nquit\n")?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut rates = text.lines().filter_map(|line| line.trim().strip_prefix("Rx-pps:"));
    let rate = rates.next_back().and_then(|rest| rest.split_whitespace().next());
    let rate = rate.ok_or("testpmd showed no rate")?;
    Ok(rate.parse::<f64>()? / 1e6)
}
