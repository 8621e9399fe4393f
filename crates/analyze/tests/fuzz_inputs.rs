//! The fuzzer's seeds, and inputs that once failed, are asked what the fuzz targets ask.

use std::path::Path;

#[path = "../../../fuzz/fuzz_targets/analyze/drive.rs"]
mod drive;

use analyze::Transport;

#[test]
fn fuzz_inputs_are_handled() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut inputs = 0;
    for (folder, check) in [
        ("fuzz/seeds/analyze_session", drive::drive_any as fn(&[u8])),
        ("crates/analyze/tests/regressions/analyze_session", drive::drive_any),
        ("fuzz/seeds/analyze_dns", |input| drive::drive(Transport::Udp, (40_000, 53), input)),
        ("fuzz/seeds/analyze_quic", |input| drive::drive(Transport::Udp, (40_000, 443), input)),
    ] {
        for entry in std::fs::read_dir(repository.join(folder)).expect("a folder of inputs") {
            check(&std::fs::read(entry.expect("a readable folder").path()).expect("a readable file"));
            inputs += 1;
        }
    }
    assert!(inputs >= 8, "only {inputs} inputs; are the seeds where this looks for them?");
}
