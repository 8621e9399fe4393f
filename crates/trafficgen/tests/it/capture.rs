//! Reading captures of every format, and saying what is wrong with the others.

use std::path::Path;

use trafficgen::pcap::{CaptureError, CaptureReader};

use crate::common::write_pcap;

const FRAME: [u8; 60] = [0x42; 60];

fn read(path: &Path) -> Result<Vec<(u64, usize, u32)>, CaptureError> {
    let mut reader = CaptureReader::open(path)?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        assert!(frame.bytes.iter().all(|&byte| byte == 0x42));
        frames.push((frame.at_ns, frame.bytes.len(), frame.wire_len));
    }
    Ok(frames)
}

fn read_bytes(bytes: &[u8]) -> Result<Vec<(u64, usize, u32)>, CaptureError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.pcap");
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}

#[test]
fn both_byte_orders_and_resolutions() {
    let frames: [(u32, u32, &[u8]); 2] = [(1_700_000_000, 123_456, &FRAME), (1_700_000_001, 7, &FRAME[..59])];
    for big_endian in [false, true] {
        for (magic, unit_ns) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
            let found = read_bytes(&write_pcap(magic, big_endian, &frames)).unwrap();
            let expected = vec![
                (1_700_000_000_000_000_000 + 123_456 * unit_ns, 60, 60),
                (1_700_000_001_000_000_000 + 7 * unit_ns, 59, 59),
            ];
            assert_eq!(found, expected, "big-endian {big_endian}, {unit_ns} ns");
        }
    }
}

/// A pcapng block: type, body padded to 32 bits, lengths around it.
pub(crate) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().div_ceil(4) * 4;
    let length = (12 + padded) as u32;
    let mut block = [kind.to_le_bytes(), length.to_le_bytes()].concat();
    block.extend_from_slice(body);
    block.resize(8 + padded, 0);
    block.extend_from_slice(&length.to_le_bytes());
    block
}

fn pcapng(linktype: u16, tsresol: Option<u8>, ticks: u64) -> Vec<u8> {
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend_from_slice(&[1, 0, 0, 0]);
    section.extend_from_slice(&[0xff; 8]);
    let mut interface = linktype.to_le_bytes().to_vec();
    interface.extend_from_slice(&[0; 6]);
    if let Some(tsresol) = tsresol {
        interface.extend_from_slice(&[9, 0, 1, 0, tsresol, 0, 0, 0, 0, 0, 0, 0]);
    }
    let mut packet = 0_u32.to_le_bytes().to_vec();
    for word in [(ticks >> 32) as u32, ticks as u32, 59, 1000] {
        packet.extend_from_slice(&word.to_le_bytes());
    }
    packet.extend_from_slice(&FRAME[..59]);
    [block(0x0a0d_0d0a, &section), block(1, &interface), block(6, &packet), block(5, &[0; 12])].concat()
}

#[test]
fn pcapng_in_its_resolutions() {
    let seconds = 1_700_000_000_u64;
    for (tsresol, ticks) in
        [(None, 1_000_000), (Some(9), 1_000_000_000), (Some(3), 1_000), (Some(0x8a), 1 << 10)]
    {
        let found = read_bytes(&pcapng(1, tsresol, seconds * ticks + ticks / 2)).unwrap();
        assert_eq!(found, [(1_700_000_000_500_000_000, 59, 1000)], "{tsresol:?}");
    }
    assert!(matches!(read_bytes(&pcapng(1, Some(0x7f), 1)), Err(CaptureError::Damaged { record: 2, .. })));
    assert!(matches!(
        read_bytes(&pcapng(113, None, 1)),
        Err(CaptureError::NotEthernet { linktype: 113, .. })
    ));
}

#[test]
fn a_block_shorter_than_its_own_lengths_is_damage() {
    const PROCESS_INFORMATION: u32 = 0x8000_0001;
    let whole = pcapng(1, None, 7);
    for length in 0..12_u32 {
        let mut file = whole.clone();
        file.extend([PROCESS_INFORMATION, length, length, 0, 0].map(u32::to_le_bytes).as_flattened());
        let found = read_bytes(&file);
        assert!(matches!(found, Err(CaptureError::Damaged { record: 5, .. })), "{length}: {found:?}");
    }
}

#[test]
fn every_fault_has_its_name() {
    let good = write_pcap(0xa1b2_c3d4, false, &[(1, 0, &FRAME), (2, 0, &FRAME)]);
    assert_eq!(read_bytes(&good).unwrap().len(), 2);
    let missing = read(Path::new("/nonexistent/in.pcap"));
    assert!(matches!(missing, Err(CaptureError::Open { .. })));
    for cut in [24 + 76 + 1, 24 + 76 + 15, 24 + 76 + 16, good.len() - 1] {
        let error = read_bytes(&good[..cut]).unwrap_err();
        assert!(matches!(error, CaptureError::Truncated { frames: 1, .. }), "cut at {cut}: {error}");
        assert!(error.to_string().contains("editcap"), "{error}");
    }
    assert!(matches!(read_bytes(&good[..10]), Err(CaptureError::Truncated { frames: 0, .. })));
    assert!(matches!(read_bytes(&good[..24]), Err(CaptureError::Empty { .. })));
    assert!(matches!(read_bytes(&[]), Err(CaptureError::Empty { .. })));
    assert!(matches!(
        read_bytes(b"#!/bin/sh\necho this is a script, not a capture\n"),
        Err(CaptureError::Format { .. })
    ));

    let mut wifi = good.clone();
    wifi[20] = 105;
    assert!(matches!(read_bytes(&wifi), Err(CaptureError::NotEthernet { linktype: 105, .. })));
    let mut huge = good.clone();
    huge[24 + 76 + 8..24 + 76 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read_bytes(&huge), Err(CaptureError::Damaged { record: 2, .. })));
}

#[test]
fn records_across_the_window() {
    // Three megabytes of records of odd sizes, three times the reader's window.
    let frames: Vec<(u32, u32, &[u8])> =
        (0..70_000).map(|number| (number, 0, &FRAME[..14 + number as usize % 47])).collect();
    let found = read_bytes(&write_pcap(0xa1b2_c3d4, false, &frames)).unwrap();
    assert_eq!(found.len(), frames.len());
    for (found, (seconds, _, bytes)) in found.iter().zip(&frames) {
        assert_eq!((found.0 / 1_000_000_000, found.1), (u64::from(*seconds), bytes.len()));
    }
}

proptest::proptest! {
    /// Whatever stands in a file, reading it ends, with frames or with a named fault.
    #[test]
    fn damaged_files_end_in_a_fault(
        ng in proptest::bool::ANY,
        flips in proptest::collection::vec(proptest::prelude::any::<(u8, u8)>(), 1..8),
    ) {
        let mut bytes = if ng {
            pcapng(1, Some(9), 1)
        } else {
            write_pcap(0xa1b2_c3d4, false, &[(1, 0, &FRAME), (2, 0, &FRAME)])
        };
        for (at, value) in flips {
            if let Some(byte) = bytes.get_mut(usize::from(at)) {
                *byte = value;
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.pcap");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(mut reader) = CaptureReader::open(&path) {
            let mut frames = 0;
            while let Ok(Some(_)) = reader.next_frame() {
                frames += 1;
                proptest::prop_assert!(frames < 100);
            }
        }
    }
}
