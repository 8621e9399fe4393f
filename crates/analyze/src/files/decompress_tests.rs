//! Every encoding, in pieces of every length, and data that is not what it says.

use super::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

const TEXT: &[u8] = b"the quick brown fox jumps over the lazy dog, and over the lazy dog again";

fn decoded(encodings: &[Encoding], bytes: &[u8], step: usize) -> (Vec<u8>, Option<Trouble>) {
    let mut decompressor = Decompressor::new(encodings, &DecompressLimits::default()).unwrap();
    let (mut output, mut trouble) = (Vec::new(), None);
    let mut sink = |piece: &[u8]| {
        output.extend_from_slice(piece);
        true
    };
    for piece in bytes.chunks(step) {
        if let Err(found) = decompressor.push(piece, &mut sink) {
            trouble = Some(found);
        }
    }
    decompressor.finish(&mut sink);
    (output, trouble)
}

fn gzip() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(TEXT).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_with_every_header_field_is_read() {
    let plain = gzip();
    let mut full = plain[..3].to_vec();
    full.extend_from_slice(&[0x1e, 0, 0, 0, 0, 0, 3, 2, 0, b'a', b'b']);
    full.extend_from_slice(b"name\0comment\0\x12\x34");
    full.extend_from_slice(&plain[10..]);
    for step in 1..=full.len() {
        assert_eq!(decoded(&[Encoding::Gzip], &full, step), (TEXT.to_vec(), None), "step {step}");
    }
}

#[test]
fn a_wrong_checksum_is_told_and_the_data_given() {
    let mut wrong = gzip();
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    assert_eq!(decoded(&[Encoding::Gzip], &wrong, 1000), (TEXT.to_vec(), Some(Trouble::Broken)));
}

#[test]
fn deflate_is_raw_or_zlib() {
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(TEXT).unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(TEXT).unwrap();
    for bytes in [raw.finish().unwrap(), zlib.finish().unwrap()] {
        assert_eq!(decoded(&[Encoding::Deflate], &bytes, 1000).0, TEXT);
    }
}

#[test]
fn encodings_lie_one_over_the_other() {
    let mut outer = DeflateEncoder::new(Vec::new(), Compression::default());
    outer.write_all(&gzip()).unwrap();
    let bytes = outer.finish().unwrap();
    for step in [1, 7, 1000] {
        assert_eq!(decoded(&[Encoding::Gzip, Encoding::Deflate], &bytes, step), (TEXT.to_vec(), None));
    }
}

#[test]
fn what_is_not_encoded_is_passed_on() {
    let text = b"{\"sdk_version\":11026,\"app_package\":\"com\"}";
    assert_eq!(decoded(&[Encoding::Gzip], text, 1000), (text.to_vec(), Some(Trouble::Broken)));
}

#[test]
fn brotli_is_read() {
    // A stored meta block: "hello".
    let bytes = b"\x0b\x02\x80hello\x03";
    assert_eq!(decoded(&[Encoding::Brotli], bytes, 1000), (b"hello".to_vec(), None));
    assert_eq!(decoded(&[Encoding::Brotli], &[0xff; 40], 1000).1, Some(Trouble::Broken));
}

#[test]
fn bombs_are_stopped() {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 50_000_000]).unwrap();
    let inner = encoder.finish().unwrap();
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&inner).unwrap();
    let (output, trouble) =
        decoded(&[Encoding::Deflate, Encoding::Deflate], &encoder.finish().unwrap(), 1000);
    assert_eq!(trouble, Some(Trouble::Bomb));
    assert!(output.len() < 10_000_000, "{}", output.len());
}
