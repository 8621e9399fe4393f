//! A self-signed X.509 v3 certificate in DER (RFC 5280, X.690).
//!
//! Every field is well formed; the RSA modulus and the signature are random numbers of the right size, so any reader can
//! show the certificate and none can verify it.

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;

use crate::trace::calendar::Moment;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]` of a certificate: its version.
const VERSION: u8 = 0xa0;
/// `[3]` of a certificate: its extensions.
const EXTENSIONS: u8 = 0xa3;
/// `[2]` of a general name: a DNS name.
const DNS_NAME: u8 = 0x82;

/// 1.2.840.113549.1.1.11, `sha256WithRSAEncryption`.
const SHA256_WITH_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
/// 1.2.840.113549.1.1.1, `rsaEncryption`.
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// 2.5.4.6, 2.5.4.10 and 2.5.4.3 of X.520.
const COUNTRY: [u8; 3] = [0x55, 4, 6];
const ORGANIZATION: [u8; 3] = [0x55, 4, 10];
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
/// 2.5.29.17, .19 and .15.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 15];

/// Bytes of a 2048-bit modulus or signature.
pub(super) const RSA_BYTES: usize = 256;

const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// One element: tag, definite length, contents.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut der = vec![tag];
    match length {
        0..0x80 => der.push(length as u8),
        0x80..0x100 => der.extend_from_slice(&[0x81, length as u8]),
        _ => {
            der.push(0x82);
            der.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    der.extend_from_slice(contents);
    der
}

fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

fn algorithm(identifier: &[u8]) -> Vec<u8> {
    constructed(SEQUENCE, &[element(OBJECT_IDENTIFIER, identifier), element(NULL, &[])])
}

fn name(organization: &str, common_name: &str) -> Vec<u8> {
    let attribute = |identifier: &[u8], tag, value: &str| {
        let pair = [element(OBJECT_IDENTIFIER, identifier), element(tag, value.as_bytes())];
        constructed(SET, &[constructed(SEQUENCE, &pair)])
    };
    let attributes = [
        attribute(&COUNTRY, PRINTABLE_STRING, "NL"),
        attribute(&ORGANIZATION, UTF8_STRING, organization),
        attribute(&COMMON_NAME, UTF8_STRING, common_name),
    ];
    constructed(SEQUENCE, &attributes)
}

fn bit_string(bytes: &[u8], unused_bits: u8) -> Vec<u8> {
    let mut contents = vec![unused_bits];
    contents.extend_from_slice(bytes);
    element(BIT_STRING, &contents)
}

fn extension(identifier: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![element(OBJECT_IDENTIFIER, identifier)];
    if critical {
        parts.push(element(BOOLEAN, &[0xff]));
    }
    parts.push(element(OCTET_STRING, value));
    constructed(SEQUENCE, &parts)
}

/// A certificate for `host` that is valid at `at_ns`.
pub(super) fn self_signed(host: &str, organization: &str, at_ns: u64, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut serial = [0; 16];
    rng.fill_bytes(&mut serial);
    // A positive number of 16 bytes in its shortest form.
    serial[0] = serial[0] & 0x7f | 0x40;
    let mut modulus = [0; RSA_BYTES + 1];
    rng.fill_bytes(&mut modulus);
    // 2048 bits: the first byte only keeps the number positive.
    modulus[0] = 0;
    modulus[1] |= 0x80;
    modulus[RSA_BYTES] |= 1;
    let mut signature = [0; RSA_BYTES];
    rng.fill_bytes(&mut signature);

    let age_days = rng.random_range(1..60);
    let validity = [at_ns - age_days * DAY_NS, at_ns + (90 - age_days) * DAY_NS]
        .map(|at_ns| element(UTC_TIME, Moment::from_ns(at_ns).utc_time().as_bytes()));
    let key = constructed(SEQUENCE, &[element(INTEGER, &modulus), element(INTEGER, &[1, 0, 1])]);
    let extensions = [
        extension(&BASIC_CONSTRAINTS, true, &element(SEQUENCE, &[])),
        // digitalSignature and keyEncipherment.
        extension(&KEY_USAGE, true, &bit_string(&[0xa0], 5)),
        extension(&SUBJECT_ALT_NAME, false, &constructed(SEQUENCE, &[element(DNS_NAME, host.as_bytes())])),
    ];
    let subject = name(organization, host);
    let to_be_signed = constructed(
        SEQUENCE,
        &[
            element(VERSION, &element(INTEGER, &[2])),
            element(INTEGER, &serial),
            algorithm(&SHA256_WITH_RSA),
            subject.clone(),
            constructed(SEQUENCE, &validity),
            subject,
            constructed(SEQUENCE, &[algorithm(&RSA), bit_string(&key, 0)]),
            element(EXTENSIONS, &constructed(SEQUENCE, &extensions)),
        ],
    );
    constructed(SEQUENCE, &[to_be_signed, algorithm(&SHA256_WITH_RSA), bit_string(&signature, 0)])
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Checks that lengths nest exactly; returns how many elements there are.
    fn walk(mut der: &[u8]) -> usize {
        let mut count = 0;
        while let [tag, length, ..] = *der {
            let (header, length) = match length {
                0x81 => (3, usize::from(der[2])),
                0x82 => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
                short => {
                    assert!(short < 0x80);
                    (2, usize::from(short))
                }
            };
            let contents = &der[header..header + length];
            count += 1;
            if tag & 0x20 != 0 {
                count += walk(contents);
            }
            der = &der[header + length..];
        }
        assert!(der.is_empty());
        count
    }

    #[test]
    fn lengths_nest() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let der = self_signed("www.example.com", "Example", 1_700_000_000_000_000_000, &mut rng);
        // Outer sequence, its three parts, and everything in them.
        assert!(walk(&der) > 50, "{}", walk(&der));
        assert!(der.windows(15).any(|window| window == b"www.example.com"));
    }
}
