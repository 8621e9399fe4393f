//! A verdict as people write it, and the number that the flow table keeps.
#![no_main]

use classify::{PipelineId, ToolId, Verdict, VerdictText};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(number) = bytes.first_chunk() {
        let number = u32::from_le_bytes(*number);
        assert!(Verdict::from_u32(number).is_none_or(|verdict| verdict.to_u32() == number));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(verdict) = text.parse::<VerdictText>() else { return };
    assert_eq!(verdict.to_string().parse(), Ok(verdict.clone()));
    let resolved = verdict.resolve(|_| Some(PipelineId(7)), |_| Some(ToolId(9))).expect("every name exists");
    assert_eq!(Verdict::from_u32(resolved.to_u32()), Some(resolved));
});
