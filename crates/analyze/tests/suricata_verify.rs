//! Captures of the reference's own tests: buffers and events must be there as often as its rules match.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashSet;

use analyze::Config;
use app::{Buffer, Direction, Protocol};

/// Test, protocol, direction, buffer, what must be in it, in how many flows.
type Case = (&'static str, Protocol, Direction, Buffer, &'static [u8], usize);

const CASES: &[Case] = &[
    ("tls__tls-cert-issuer", Protocol::Tls, Direction::ToClient, Buffer::TlsCertIssuer, b"O=Stamus", 4),
    ("tls__tls-cert-noissuer", Protocol::Tls, Direction::ToClient, Buffer::TlsCertSubject, b"localhost", 1),
    ("tls__tls-client-hello-frag-01", Protocol::Tls, Direction::ToServer, Buffer::TlsSni, b"google", 1),
    (
        "tls__tls-subject",
        Protocol::Tls,
        Direction::ToClient,
        Buffer::TlsCertSubject,
        b"C=FR, ST=IDF, L=Paris, O=Stamus, CN=SELKS",
        4,
    ),
    (
        "tls__tls-client-cert-01",
        Protocol::Tls,
        Direction::ToServer,
        Buffer::TlsCertFingerprint,
        b"32:56:41:d0:6a:ff:47:cb:21:e4:89:c5:ae:2a:a2:d8:1b:c9:70:0c",
        1,
    ),
    (
        "tls__tls-certs-alert",
        Protocol::Tls,
        Direction::ToClient,
        Buffer::TlsCerts,
        b"\x30\x1e\x06\x03\x55\x04\x03\x13\x17",
        1,
    ),
];

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn buffers_are_there_as_often_as_rules_match() {
    let Some(folder) = support::corpora() else { return };
    for &(name, protocol, direction, buffer, needle, flows) in CASES {
        let capture = folder.join("suricata-verify").join(name).join("input.pcap");
        // A transaction is told from another by its random, which its hello has only once.
        let mut found: HashSet<Vec<u8>> = HashSet::new();
        support::replay_with(&capture, &Config::default(), &mut |of, _, transaction| {
            if of != protocol || transaction.stage(direction) < buffer.stage() {
                return;
            }
            let mut scratch = Vec::new();
            let hit = (0..).map_while(|index| {
                transaction
                    .buffer(direction, buffer, index, &mut scratch)
                    .map(|view| contains(view.bytes, needle))
            });
            if hit.take(64).any(|hit| hit) {
                let random = transaction.buffer(direction, Buffer::TlsRandom, 0, &mut scratch);
                found.insert(random.map(|view| view.bytes.to_vec()).unwrap_or_default());
            }
        });
        assert_eq!(found.len(), flows, "{name}");
    }
}

#[test]
fn events_of_dns_are_raised_where_the_reference_raises_them() {
    let Some(folder) = support::corpora() else { return };
    let capture = folder.join("suricata-verify/dns__dns-z-bit/input.pcap");
    let mut raised = 0;
    support::replay_with(&capture, &Config::default(), &mut |_, direction, transaction| {
        raised += usize::from(transaction.events(direction).contains(&"dns.z_flag_set"));
    });
    assert!(raised > 0);
}
