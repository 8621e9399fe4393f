//! TLS records and handshake messages (RFC 5246, RFC 8446, RFC 6066, RFC 7301).

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;

use super::certificate::RSA_BYTES;
use crate::session::Stream;
use crate::session::stream::Filler;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;
const CLIENT_KEY_EXCHANGE: u8 = 16;

const SERVER_NAME: u16 = 0;
const STATUS_REQUEST: u16 = 5;
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SESSION_TICKET: u16 = 35;
const SUPPORTED_VERSIONS: u16 = 43;
const PSK_KEY_EXCHANGE_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;
const RENEGOTIATION_INFO: u16 = 0xff01;

const X25519: u16 = 29;
const RSA_PKCS1_SHA256: u16 = 0x0401;
/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
const SUITE_1_2: u16 = 0xc02f;
/// `TLS_AES_128_GCM_SHA256`.
const SUITE_1_3: u16 = 0x1301;
const SUITES: [u16; 14] = [
    0x1302, 0x1303, 0xc02b, SUITE_1_2, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
    0x002f, 0x0035,
];

/// Largest plaintext of a record.
const RECORD_LEN_MAX: u64 = 16_384;
/// What AES-GCM adds: explicit nonce (in 1.2) and tag.
const RECORD_OVERHEAD: u64 = 24;

/// The versions that are spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    Tls12,
    Tls13,
}

fn put_u16(to: &mut Vec<u8>, value: u16) {
    to.extend_from_slice(&value.to_be_bytes());
}

/// Bytes after their length in 16 bits.
fn put_vector(to: &mut Vec<u8>, bytes: &[u8]) {
    put_u16(to, bytes.len() as u16);
    to.extend_from_slice(bytes);
}

fn u16s(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// `values` after their length in bytes, in 16 bits.
fn u16_list(values: &[u16]) -> Vec<u8> {
    let mut list = Vec::new();
    put_vector(&mut list, &u16s(values));
    list
}

fn put_extension(to: &mut Vec<u8>, kind: u16, body: &[u8]) {
    put_u16(to, kind);
    put_vector(to, body);
}

fn alpn(protocols: &[&str]) -> Vec<u8> {
    let mut names = Vec::new();
    for name in protocols {
        names.push(name.len() as u8);
        names.extend_from_slice(name.as_bytes());
    }
    let mut body = Vec::new();
    put_vector(&mut body, &names);
    body
}

fn random<const N: usize>(rng: &mut ChaCha8Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A handshake message: type, length in 24 bits, body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
    let mut message = vec![kind, high, middle, low];
    message.extend_from_slice(body);
    message
}

/// A record around `fragment`, which is at most 16,384 bytes; `minor` 1 is TLS 1.0 on the wire, 3 TLS 1.2.
pub(super) fn record(kind: u8, minor: u8, fragment: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, minor];
    put_vector(&mut record, fragment);
    record
}

/// What the hellos of one connection share.
pub(super) struct Hello {
    version: Version,
    session_id: [u8; 32],
    http2: bool,
}

impl Hello {
    pub(super) fn new(version: Version, rng: &mut ChaCha8Rng) -> Self {
        Self { version, session_id: random(rng), http2: rng.random_ratio(2, 3) }
    }

    pub(super) fn client(&self, host: &str, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&random::<32>(rng));
        body.push(self.session_id.len() as u8);
        body.extend_from_slice(&self.session_id);
        let suites = match self.version {
            Version::Tls13 => [&[SUITE_1_3], &SUITES[..]].concat(),
            Version::Tls12 => SUITES.iter().copied().filter(|suite| suite >> 8 != 0x13).collect(),
        };
        body.extend_from_slice(&u16_list(&suites));
        // Compression: none.
        body.extend_from_slice(&[1, 0]);

        let mut extensions = Vec::new();
        let mut name = vec![0];
        put_vector(&mut name, host.as_bytes());
        let mut names = Vec::new();
        put_vector(&mut names, &name);
        put_extension(&mut extensions, SERVER_NAME, &names);
        put_extension(&mut extensions, EXTENDED_MASTER_SECRET, &[]);
        put_extension(&mut extensions, RENEGOTIATION_INFO, &[0]);
        put_extension(&mut extensions, SUPPORTED_GROUPS, &u16_list(&[X25519, 23, 24]));
        put_extension(&mut extensions, EC_POINT_FORMATS, &[1, 0]);
        put_extension(&mut extensions, SESSION_TICKET, &[]);
        let protocols: &[&str] = if self.http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
        put_extension(&mut extensions, ALPN, &alpn(protocols));
        put_extension(&mut extensions, STATUS_REQUEST, &[1, 0, 0, 0, 0]);
        let algorithms = [0x0403, 0x0804, RSA_PKCS1_SHA256, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
        put_extension(&mut extensions, SIGNATURE_ALGORITHMS, &u16_list(&algorithms));
        if self.version == Version::Tls13 {
            let mut share = u16s(&[X25519]);
            put_vector(&mut share, &random::<32>(rng));
            let mut shares = Vec::new();
            put_vector(&mut shares, &share);
            put_extension(&mut extensions, KEY_SHARE, &shares);
            put_extension(&mut extensions, PSK_KEY_EXCHANGE_MODES, &[1, 1]);
            put_extension(&mut extensions, SUPPORTED_VERSIONS, &[4, 3, 4, 3, 3]);
        }
        put_vector(&mut body, &extensions);
        message(CLIENT_HELLO, &body)
    }

    pub(super) fn server(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&random::<32>(rng));
        body.push(self.session_id.len() as u8);
        let mut extensions = Vec::new();
        match self.version {
            Version::Tls13 => {
                // Echoed, for middleboxes (RFC 8446 4.1.3).
                body.extend_from_slice(&self.session_id);
                put_u16(&mut body, SUITE_1_3);
                put_extension(&mut extensions, SUPPORTED_VERSIONS, &[3, 4]);
                let mut share = u16s(&[X25519]);
                put_vector(&mut share, &random::<32>(rng));
                put_extension(&mut extensions, KEY_SHARE, &share);
            }
            Version::Tls12 => {
                body.extend_from_slice(&random::<32>(rng));
                put_u16(&mut body, SUITE_1_2);
                put_extension(&mut extensions, RENEGOTIATION_INFO, &[0]);
                put_extension(&mut extensions, EXTENDED_MASTER_SECRET, &[]);
                put_extension(&mut extensions, EC_POINT_FORMATS, &[1, 0]);
                let protocol = if self.http2 { "h2" } else { "http/1.1" };
                put_extension(&mut extensions, ALPN, &alpn(&[protocol]));
            }
        }
        body.push(0);
        put_vector(&mut body, &extensions);
        message(SERVER_HELLO, &body)
    }
}

/// The messages of a TLS 1.2 server after its hello.
pub(super) fn certificate(der: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| {
        let [_, high, middle, low] = (bytes as u32).to_be_bytes();
        [high, middle, low]
    };
    let mut body = Vec::from(length(der.len() + 3));
    body.extend_from_slice(&length(der.len()));
    body.extend_from_slice(der);
    message(CERTIFICATE, &body)
}

/// ECDHE on X25519, signed with RSA (RFC 8422 5.4).
pub(super) fn server_key_exchange(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut body = vec![3];
    put_u16(&mut body, X25519);
    body.push(32);
    body.extend_from_slice(&random::<32>(rng));
    put_u16(&mut body, RSA_PKCS1_SHA256);
    put_vector(&mut body, &random::<RSA_BYTES>(rng));
    message(SERVER_KEY_EXCHANGE, &body)
}

pub(super) fn server_hello_done() -> Vec<u8> {
    message(SERVER_HELLO_DONE, &[])
}

pub(super) fn client_key_exchange(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut body = vec![32];
    body.extend_from_slice(&random::<32>(rng));
    message(CLIENT_KEY_EXCHANGE, &body)
}

/// Records with `length` bytes of something encrypted, appended to `stream`.
pub(super) fn encrypted(mut stream: Stream, kind: u8, length: u64, rng: &mut ChaCha8Rng) -> Stream {
    let mut left = length;
    while left > 0 {
        let plain = left.min(RECORD_LEN_MAX);
        left -= plain;
        let sealed = plain + RECORD_OVERHEAD;
        let mut header = vec![kind, 3, 3];
        put_u16(&mut header, sealed as u16);
        stream = stream.bytes(header).filler(Filler::Noise, rng.random(), sealed);
    }
    stream
}
