//! Running the two programs and reading what they say of themselves.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Arguments;

/// One run of a program.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// From the first packet to the last event, in seconds, by the program's own clock.
    pub(crate) seconds: f64,
    /// Loading of the rules, in seconds.
    pub(crate) load_seconds: f64,
    /// The most memory it had, in MiB.
    pub(crate) memory_mib: f64,
    /// Alerts.
    pub(crate) alerts: u64,
}

/// Replays the capture with Forebay.
pub(crate) fn forebay(arguments: &Arguments, out: &Path, cache: &Path) -> Result<Run, Box<dyn Error>> {
    let (_, printed, memory_mib) = run(Command::new(&arguments.forebay)
        .args(["replay", "--json", "--out"])
        .arg(out)
        .arg("--rules")
        .arg(&arguments.rules)
        .arg(&arguments.capture)
        .env("XDG_CACHE_HOME", cache))?;
    let report: serde_json::Value = serde_json::from_str(&printed)?;
    let number =
        |key: &str| report.get(key).and_then(serde_json::Value::as_f64).ok_or(format!("no {key}: {printed}"));
    Ok(Run {
        seconds: number("seconds")?,
        load_seconds: number("rules_load_seconds")?,
        memory_mib,
        alerts: number("alerts")? as u64,
    })
}

/// Replays the capture with Suricata on one thread.
pub(crate) fn suricata(arguments: &Arguments, out: &Path) -> Result<Run, Box<dyn Error>> {
    std::fs::create_dir_all(out)?;
    let (wall, printed, memory_mib) = run(Command::new("suricata")
        .arg("-r")
        .arg(&arguments.capture)
        .args(["-v", "-k", "none", "--runmode", "single", "-l"])
        .arg(out)
        .arg("-S")
        .arg(&arguments.rules))?;
    let elapsed = printed
        .split("time elapsed ")
        .nth(1)
        .and_then(|rest| rest.split('s').next())
        .and_then(|seconds| seconds.trim().parse::<f64>().ok())
        .ok_or("Suricata does not say how long it took")?;
    let eve = std::fs::read_to_string(out.join("eve.json"))?;
    Ok(Run {
        seconds: elapsed,
        // What is not inspection is loading; ending takes next to nothing.
        load_seconds: wall - elapsed,
        memory_mib,
        alerts: eve.lines().filter(|line| line.contains(r#""event_type":"alert""#)).count() as u64,
    })
}

/// Runs a program on the first core; its wall time in seconds, what it printed, and its memory in MiB.
fn run(command: &mut Command) -> Result<(f64, String, f64), Box<dyn Error>> {
    let start = Instant::now();
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "memory %M KiB"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let output = timed.stdin(Stdio::null()).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{}: {errors}", command.get_program().display()).into());
    }
    let memory = errors
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("memory ")?.strip_suffix(" KiB")?.parse::<f64>().ok())
        .unwrap_or(0.0);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = if printed.contains("time elapsed") { printed } else { printed + &errors_of_suricata(&errors) };
    Ok((start.elapsed().as_secs_f64(), all, memory / 1024.0))
}

/// Suricata logs to either stream, by its configuration.
fn errors_of_suricata(errors: &str) -> String {
    if errors.contains("time elapsed") { errors.to_owned() } else { String::new() }
}
