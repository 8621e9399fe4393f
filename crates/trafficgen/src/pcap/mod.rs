//! Capture files in and out.
//!
//! In: classic pcap (micro- and nanosecond, either byte order) and pcapng, read by `pcap-parser` through
//! [`CaptureReader`] as a stream of [`Frame`]s. Out: classic nanosecond pcap, little-endian, by [`PcapWriter`], into
//! an [`OutputFile`] that appears under its name only when it is complete.

mod output;
mod reader;
mod writer;

pub use output::{OutputError, OutputFile};
pub use reader::{CaptureError, CaptureReader, Frame};
pub use writer::{PcapWriter, SNAPLEN};
