//! The large capture of mixed traffic against what the reference says of it: numbers of records by type, and the
//! records themselves where a recording of them is at hand.

mod support;

use analyze::Config;

/// Counts that the reference has.
fn counts() -> Option<(std::path::PathBuf, serde_json::Value)> {
    let folder = support::corpora()?.join("pcap");
    let text = std::fs::read_to_string(folder.join("enterprise.et-open-2021-08.suricata.json")).ok()?;
    let truth: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some((folder.join("enterprise.pcap"), truth.get("event_counts")?.clone()))
}

#[test]
fn records_are_as_many_as_the_reference_has() {
    let Some((capture, counts)) = counts() else { return };
    let found = support::replay(&capture, &Config::default());
    if let Some(path) = std::env::var_os("FOREBAY_ANALYZE_DUMP") {
        let lines: String = found.told.iter().flat_map(|told| [told.text(), "\n".to_owned()]).collect();
        std::fs::write(path, lines).unwrap();
    }
    // IP fragments are not put together here, and one connection in a hundred depends on it.
    for event_type in ["dhcp", "tftp", "quic", "tls", "dns", "http", "ssh", "ftp_data", "fileinfo"] {
        let expected = counts.get(event_type).and_then(serde_json::Value::as_u64).unwrap() as usize;
        let found = found.count(event_type);
        assert!(
            found.abs_diff(expected) <= expected / 50,
            "{event_type}: {found}, the reference has {expected}"
        );
    }
}
