//! The frames.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Frames in the capture: a power of two, as `net_pcap` wants for `infinite_rx`.
const FRAMES: u32 = 2048;

/// Writes UDP frames of `frame_bytes` bytes, each from another host.
pub(crate) fn write_capture(path: &Path, frame_bytes: usize) -> std::io::Result<()> {
    let frame_bytes = frame_bytes.clamp(60, 1514);
    let mut file = BufWriter::new(File::create(path)?);
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        file.write_all(&word.to_le_bytes())?;
    }
    for number in 0..FRAMES {
        for word in [1_700_000_000, number, frame_bytes as u32, frame_bytes as u32] {
            file.write_all(&word.to_le_bytes())?;
        }
        let ip_bytes = (frame_bytes - 14) as u16;
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        frame.extend(ip_bytes.to_be_bytes());
        frame.extend([0, 1, 0, 0, 64, 17, 0, 0]);
        frame.extend((0x0a00_0000 + number).to_be_bytes());
        frame.extend([192, 0, 2, 1]);
        for field in [40_000, 53, ip_bytes - 20, 0] {
            frame.extend(field.to_be_bytes());
        }
        frame.resize(frame_bytes, 0);
        file.write_all(&frame)?;
    }
    file.flush()
}
