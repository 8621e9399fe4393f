//! Protocols that are detected and not parsed here.

use app::Direction;

use super::{Probe, Question};

/// NTP (RFC 5905): on its port, a known version and a whole header.
pub(super) fn ntp(question: &Question<'_>) -> Probe {
    match question.bytes {
        [first, ..]
            if question.is_on(&question.config.ports.ntp)
                && matches!(first >> 3 & 7, 1..=4)
                && question.bytes.len() >= 48 =>
        {
            Probe::Certain
        }
        _ => Probe::NotForUs,
    }
}

/// `BitTorrent`'s distributed hash table (BEP 5): a bencoded query, response or error.
pub(super) fn bittorrent_dht(question: &Question<'_>) -> Probe {
    let starts: [&[u8]; 4] = [b"d1:ad2:id20:", b"d1:rd2:id20:", b"d2:ip", b"d1:el"];
    let found = starts.into_iter().any(|start| question.bytes.starts_with(start));
    if found { Probe::Certain } else { Probe::NotForUs }
}

/// Telnet (RFC 854): on its port, an option negotiation.
pub(super) fn telnet(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.telnet) {
        return Probe::NotForUs;
    }
    match question.bytes {
        [0xff, 0xf0..=0xfe, _, ..] => Probe::Certain,
        [] | [0xff] | [0xff, 0xf0..=0xfe] => Probe::Unsure,
        _ => Probe::NotForUs,
    }
}

/// IMAP (RFC 9051): the server's greeting or the client's first question.
pub(super) fn imap(question: &Question<'_>) -> Probe {
    match question.direction {
        Direction::ToClient => question.begins_with(b"* OK "),
        Direction::ToServer => question.begins_with(b"1 capability"),
    }
}
