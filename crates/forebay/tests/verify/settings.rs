//! The reference's settings, as far as the suite uses them, in ours.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

/// Small pools: many replays run at once.
const SIZES: [&str; 4] = ["memory_mib = 96", "mempool_mbufs = 8192", "flows_max = 16384", "tenants_max = 1"];

/// Options of the reference that change nothing that is compared, or that we do always.
const WITHOUT_EFFECT: [&str; 4] = [
    "--runmode=single",
    "stats.decoder-events=true",
    "app-layer.protocols.http2.enabled=true",
    "app-layer.protocols.http2.http1-rules=true",
];

/// A configuration file of ours that says what `options` and `yaml` say. A setting that has no counterpart is told on
/// standard output.
pub(crate) fn config(options: &Value, yaml: Option<&str>, rules: &Path) -> Result<String, String> {
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut set = |table: &'static str, line: String| tables.entry(table).or_default().push(line);
    for line in SIZES {
        set("dataplane", line.to_owned());
    }
    set("inspection", format!("rules = [{:?}]", rules.display().to_string()));
    set("inspection", "cache_mib_max = 0".to_owned());
    let mut verify_checksums = true;
    let mut turned_on: Vec<&str> = Vec::new();
    let words: Vec<&str> = options
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .flat_map(str::split_whitespace)
        .collect();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let word = if word == "--set" || word == "-k" { words.next().unwrap_or_default() } else { word };
        if word == "none" {
            verify_checksums = false;
        } else if !WITHOUT_EFFECT.contains(&word) {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("option {word}"))?;
            setting(name, value, &mut set);
            turned_on.extend(off_by_default(name, value));
        }
    }
    if !verify_checksums {
        set("inspection.stream", "verify_checksums = \"off\"".to_owned());
    }
    for (name, value) in yaml.map(flatten).unwrap_or_default() {
        setting(&name, &value, &mut set);
        turned_on.extend(off_by_default(&name, &value));
    }
    let off: Vec<&str> = OFF_BY_DEFAULT.into_iter().filter(|name| !turned_on.contains(name)).collect();
    set("inspection.protocols", format!("disabled = {off:?}"));
    let mut text = String::new();
    for (table, mut lines) in tables {
        // What stands on the command line comes first, and counts.
        let key = |line: &String| line.split('=').next().unwrap_or_default().to_owned();
        let mut seen: Vec<String> = Vec::new();
        lines.retain(|line| {
            !seen.contains(&key(line)) && {
                seen.push(key(line));
                true
            }
        });
        let _ = write!(text, "\n[{table}]\n{}\n", lines.join("\n"));
    }
    Ok(text)
}

/// Protocols that neither program looks for unless it is told to.
const OFF_BY_DEFAULT: [&str; 4] = ["modbus", "dnp3", "enip", "pgsql"];

/// The one of them that a setting turns on.
fn off_by_default(name: &str, value: &str) -> Option<&'static str> {
    let protocol = name.strip_prefix("app-layer.protocols.")?.strip_suffix(".enabled")?;
    OFF_BY_DEFAULT.into_iter().find(|off| *off == protocol && matches!(value, "yes" | "true" | "on"))
}

/// One setting of the reference.
fn setting(name: &str, value: &str, set: &mut impl FnMut(&'static str, String)) {
    const HTTP: &str = "app-layer.protocols.http.libhtp.default-config.";
    const ALERT: &str = "outputs.eve-log.types.alert.";
    let yes = matches!(value, "yes" | "true" | "on");
    match name {
        "stream.midstream" => set("inspection.stream", format!("midstream = {yes}")),
        "app-layer.protocols.tls.encryption-handling" => {
            set("inspection.protocols", format!("encrypted = {value:?}"));
        }
        "stream.midstream-policy" | "exception-policy" => {
            // What would take traffic out is ignored by the reference, too, where it only listens.
            let policy = if matches!(value, "pass-flow" | "bypass") { value } else { "ignore" };
            set("inspection.stream", format!("midstream_policy = {policy:?}"));
        }
        "stream.async-oneside" => set("inspection.stream", format!("async_oneside = {yes}")),
        "stream.inline" => set("inspection.stream", format!("inline = {yes}")),
        "vlan.use-for-tracking" => set("dataplane", format!("flows_by_vlan = {yes}")),
        "detect.guess-applayer-tx" => set("inspection.alerts", format!("guess_transaction = {yes}")),
        "outputs.eve-log.ethernet" => set("inspection.alerts", format!("ethernet = {yes}")),
        "packet-alert-max" => set("inspection.alerts", format!("per_packet_max = {value}")),
        "app-layer.protocols.dns.tcp.detection-ports.dp" => {
            set("inspection.protocols.ports", format!("dns_tcp = [{value}]"));
        }
        _ => {}
    }
    match name.strip_prefix(HTTP) {
        Some("response-body-limit") => {
            set("inspection.protocols.http", format!("response_body_bytes_max = {}", bytes(value)));
        }
        Some("request-body-limit") => {
            set("inspection.protocols.http", format!("request_body_bytes_max = {}", bytes(value)));
        }
        Some("response-body-decompress-layer-limit") => {
            set("inspection.protocols.http", format!("decompress_layers_max = {value}"));
        }
        Some("lzma-enabled") => set("inspection.protocols.http", format!("lzma = {yes}")),
        _ => {}
    }
    match name.strip_prefix(ALERT) {
        Some("payload") => set("inspection.alerts", format!("payload = {yes}")),
        Some("payload-printable") => set("inspection.alerts", format!("payload_printable = {yes}")),
        Some("payload-buffer-size") => {
            set("inspection.alerts", format!("payload_bytes_max = {}", bytes(value)));
        }
        Some("packet") => set("inspection.alerts", format!("packet = {yes}")),
        Some("verdict") => set("inspection.alerts", format!("verdict = {yes}")),
        Some("xff.enabled") if !yes => set("inspection.alerts", "xff = \"off\"".to_owned()),
        Some("xff.mode") => set("inspection.alerts", format!("xff = {value:?}")),
        Some("xff.deployment") => set("inspection.alerts", format!("xff_deployment = {value:?}")),
        Some("xff.header") => set("inspection.alerts", format!("xff_header = {value:?}")),
        Some("metadata") => set("inspection.alerts", format!("metadata = {yes}")),
        _ => {}
    }
    // Hosts have one kind here: the one that is named for an address rather than for all.
    if let Some(kind) = name.strip_prefix("host-os-policy.")
        && !matches!(value, "[]" | "[0.0.0.0/0]")
    {
        set("inspection.stream", format!("overlap = {kind:?}"));
    }
}

/// `200kb`, `1mb`.
fn bytes(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).map(str::to_ascii_lowercase).as_deref() {
        Some("kb" | "kib") => 1 << 10,
        Some("mb" | "mib") => 1 << 20,
        _ => 1,
    };
    digits.parse::<u64>().unwrap_or_default() * unit
}

/// The settings of a YAML file by dotted name. Only what the suite's files have: maps and lists of maps by indentation,
/// and plain values; an element of a list is named by its first key.
fn flatten(yaml: &str) -> Vec<(String, String)> {
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut settings = Vec::new();
    for line in yaml.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim_end();
        let text = line.trim_start();
        if text.is_empty() || text.starts_with(['#', '%']) || text == "---" {
            continue;
        }
        let mut indent = line.len() - text.len();
        let text = match text.strip_prefix("- ") {
            Some(element) => {
                indent += 1;
                element.trim_start()
            }
            None => text,
        };
        path.retain(|(outer, _)| *outer < indent);
        let (key, value) = text.split_once(':').unwrap_or((text, ""));
        path.push((indent, key.trim().to_owned()));
        let value = value.trim().trim_matches('"');
        if !value.is_empty() {
            let name: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
            settings.push((name.join("."), value.to_owned()));
        }
    }
    settings
}

#[test]
fn yaml_becomes_dotted_names() {
    let yaml = "%YAML 1.1\n---\noutputs:\n  - eve-log:\n      enabled: yes # x\n      types:\n        - alert:\n            payload: no\n        - flow\n        - tls:\n            extended: yes\npacket-alert-max: 20\n";
    let settings = flatten(yaml);
    let get = |name: &str| settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(get("outputs.eve-log.enabled"), Some("yes"));
    assert_eq!(get("outputs.eve-log.types.alert.payload"), Some("no"));
    assert_eq!(get("outputs.eve-log.types.tls.extended"), Some("yes"));
    assert_eq!(get("packet-alert-max"), Some("20"));
}
