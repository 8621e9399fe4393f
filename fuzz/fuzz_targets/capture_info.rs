//! Any bytes as the capture that `forebay replay` scans before it replays it.
//!
//! What is said of a capture fits its size, a damaged place lies in it, and what is before that place is a whole capture
//! with the same packets.

#![no_main]

// The command line is no library; the scanner stands for itself.
#[path = "../../crates/forebay/src/capture_info/mod.rs"]
mod capture_info;
#[path = "common/input_file.rs"]
mod input_file;

use capture_info::{CaptureInfo, DamageKind, scan};

/// Bytes of the shortest packet record: a pcap record header, or a simple packet block.
const RECORD_BYTES_MIN: u64 = 16;

fn check(info: &CaptureInfo, len: u64) {
    let CaptureInfo { packets, bytes, snapped_packets, times_ns, frame_bytes_max, .. } = info;
    assert!(bytes + packets * RECORD_BYTES_MIN <= len, "{info:?}");
    assert!(snapped_packets <= packets, "{info:?}");
    assert_eq!(times_ns.is_some(), *packets > 0, "{info:?}");
    assert!(times_ns.is_none_or(|(first, last)| first <= last), "{info:?}");
    let longest = u64::from(*frame_bytes_max);
    assert!(longest <= *bytes && *bytes <= packets * longest && longest <= 262_144, "{info:?}");
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = input_file::with(bytes);
    let mut info = match scan(path, |_| {}) {
        Ok(info) => info,
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.starts_with(&format!("{}: ", path.display())), "{shown}");
            return;
        }
    };
    check(&info, bytes.len() as u64);
    let Some(damage) = info.damage.take() else { return };
    assert_eq!(damage.packet, info.packets + 1);
    let shown = damage.to_string();
    assert_eq!(shown.starts_with("cut short"), damage.kind == DamageKind::Cut, "{shown}");
    let whole = bytes.get(..damage.offset as usize).expect("the damaged record starts in the file");
    assert!(whole.len() < bytes.len(), "{shown}");
    let again = scan(input_file::with(whole), |_| {}).expect("a capture up to there");
    assert_eq!(again, info);
});
